import type { Clock } from '../../lib/clock.ts';
import { messageIdAt } from '../../message/id.ts';
import { stateName, stateNumber } from '../../message/state.ts';
import type { MessageSpans } from '../../observe/otlp/message-spans.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import type { AnsweredSlice } from '../sending/settle-slice.ts';
import type { DeliveryObserver, RecordedOutcomes } from './delivery-observer.ts';

/** Makes spans of attempts and outcomes. */
export class SpanObserver implements DeliveryObserver {
  readonly #spans: MessageSpans;
  readonly #clock: Clock;
  readonly #control: Pick<DeliveryControl, 'routeById'>;

  constructor(spans: MessageSpans, at: { clock: Clock; control: Pick<DeliveryControl, 'routeById'> }) {
    this.#spans = spans;
    this.#clock = at.clock;
    this.#control = at.control;
  }

  answered({ slice, answers, route, beganAtMs, nowMs }: AnsweredSlice): void {
    const aheadMs = this.#clock.nowMs() - this.#clock.monotonicMs();
    for (let index = 0; index < slice.messages.length; index++) {
      const { id: messageId, accountId, attempt } = slice.messages[index]!;
      const batchId = slice.works[index]!.chunk.batch;
      if (!this.#spans.isTraced(messageId, batchId)) continue;
      const answer = answers[index];
      this.#spans.attempted(
        { messageId, batchId, accountId, route: route.name },
        {
          ...{ attempt, answer: answer?.kind ?? 'uncertain' },
          code: answer && answer.kind !== 'sent' ? answer.error.code : undefined,
          ...{ beganMs: beganAtMs + aheadMs, endedMs: nowMs + aheadMs },
        },
      );
    }
  }

  recorded(outcomes: readonly RecordedOutcomes[]): void {
    const recordedMs = this.#clock.nowMs();
    const aheadMs = recordedMs - this.#clock.monotonicMs();
    for (const { chunk, group } of outcomes) {
      if (group.state === stateNumber.sending) continue;
      const { accountId, routeId } = chunk.lane.key;
      const route = this.#control.routeById(routeId)?.name ?? `route ${routeId}`;
      for (const offset of group.offsets) {
        const messageId = messageIdAt(chunk.id, offset);
        if (!this.#spans.isTraced(messageId, chunk.batch)) continue;
        this.#spans.recorded(
          { messageId, batchId: chunk.batch, accountId, route },
          {
            ...{ attempt: group.attempt, state: stateName(group.state), code: group.errorCode },
            ...{ knownMs: group.atMs + aheadMs, recordedMs },
          },
        );
      }
    }
  }
}
