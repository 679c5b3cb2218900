import { priorityName } from '../../message/fields.ts';
import type { Logger } from '../../observe/log.ts';
import { logAttempt } from '../../observe/log-attempt.ts';
import type { RecipientsShown } from '../../observe/mask-recipient.ts';
import type { AnsweredSlice } from '../sending/settle-slice.ts';
import type { DeliveryObserver } from './delivery-observer.ts';

/** Writes a line for each attempt. */
export class AttemptLines implements DeliveryObserver {
  readonly #log: Logger;
  readonly #recipients: RecipientsShown;

  constructor(log: Logger, { recipients }: { recipients: RecipientsShown }) {
    this.#log = log;
    this.#recipients = recipients;
  }

  answered({ slice, answers, route, beganAtMs, nowMs }: AnsweredSlice): void {
    for (let index = 0; index < slice.messages.length; index++) {
      const { id: messageId, accountId, attempt, fields } = slice.messages[index]!;
      const { batch: batchId, lane } = slice.works[index]!.chunk;
      const answer = answers[index];
      const error = answer && answer.kind !== 'sent' ? { code: answer.error.code } : {};
      logAttempt(
        this.#log,
        {
          ...{ messageId, batchId, accountId, route: route.name, connector: route.connector },
          ...{ priority: priorityName(lane.key.priority), attempt, answer: answer?.kind ?? 'uncertain' },
          ...error,
          ...{ tookMs: nowMs - beganAtMs, requestMessages: slice.messages.length, to: fields.to },
        },
        this.#recipients,
      );
    }
  }

  recorded(): void {}
}
