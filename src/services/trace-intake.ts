import type { ChunksStored } from '../intake/group-commit.ts';
import { systemClock } from '../lib/clock.ts';
import { messageIds, unixMsOf } from '../message/id.ts';
import type { MessageSpans } from '../observe/otlp/message-spans.ts';
import type { ControlCache } from '../store/control/control-cache.ts';

/** Traces what becomes durable. */
export function traceIntake(spans: MessageSpans, control: Pick<ControlCache, 'routeById'>): ChunksStored {
  return (chunks, { batch, beganAtMs }) => {
    const storedMs = systemClock.nowMs();
    const beganMs = storedMs - (systemClock.monotonicMs() - beganAtMs);
    for (const { id, accountId, routeId, count } of chunks) {
      const route = control.routeById(routeId)?.name ?? `route ${routeId}`;
      for (const messageId of messageIds(id, count)) {
        if (!spans.isTraced(messageId, batch)) continue;
        const message = { messageId, batchId: batch, accountId, route };
        spans.accepted(message, { idMs: unixMsOf(id), beganMs, storedMs });
      }
    }
  };
}
