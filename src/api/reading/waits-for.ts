import { parseTime } from '../../lib/parse-time.ts';
import { type OutcomeRow, timelineOf } from '../../message/fold-outcomes.ts';
import { parseId } from '../../message/id.ts';
import type { MessageView } from '../../message/message-view.ts';
import type { Route } from '../../message/route.ts';
import { nextOpening } from '../../message/send-window/opens-at.ts';
import type { BatchRow } from '../../store/reading/batch-row.ts';

export const waitReasons = [
  'batch_open',
  'batch_paused',
  'route_paused',
  'scheduled',
  'retry',
  'send_window',
  'earlier_message',
  'expiry',
  'turn',
] as const;

/** One thing that keeps a message from being sent now. */
export interface Wait {
  reason: (typeof waitReasons)[number];
  /** Where it ends by itself: when. */
  until?: string;
  /** Of `earlier_message`: the one that has to come to its end first. */
  messageId?: string;
}

/** What a message stands in. */
export interface Surroundings {
  /** Undefined of a message sent singly. */
  batch: BatchRow | undefined;
  /** Undefined where it cannot be told. */
  route: Route | undefined;
  outcomes: readonly OutcomeRow[];
  /** The first of its ordering key, where it has to wait for that. */
  earlier: string | undefined;
}

/** It has neither been sent nor come to its end, and is not on its way. */
export function isWaiting({ state }: Pick<MessageView, 'state'>): boolean {
  return state === 'queued' || state === 'retrying';
}

/** It was tried anew after its end: it goes for itself, and no message of its ordering key holds it back. */
export function wasReplayed(outcomes: readonly OutcomeRow[], id: string): boolean {
  return timelineOf(outcomes, parseId(id).offset).some(({ state }) => state === 'queued');
}

/**
 * Everything that keeps a message that waits; `expiry` alone where it is past its `expiresAt`, and only its end is to come; `turn` alone
 * where nothing of this is known: it is due, and others of its lane are before it, or the lane is held up (`GET /v1/lanes`). Empty for a
 * message of a canceled batch.
 */
export function waitsFor(message: MessageView, around: Surroundings, nowMs = Date.now()): Wait[] {
  const { batch, route, earlier } = around;
  if (batch?.canceledAt) return [];
  if (message.expiresAt !== undefined && (parseTime(message.expiresAt)?.getTime() ?? nowMs + 1) <= nowMs)
    return [{ reason: 'expiry' }];
  const waits: Wait[] = [];
  if (batch?.startOn === 'close' && batch.closedAt === null) waits.push({ reason: 'batch_open' });
  if (batch?.pausedAt) waits.push({ reason: 'batch_paused' });
  if (route?.paused) waits.push({ reason: 'route_paused' });
  waits.push(...later('scheduled', message.scheduledAt, nowMs));
  if (message.state === 'retrying') waits.push(...later('retry', retryDueAt(message, around), nowMs));
  waits.push(
    ...window(message, around, Math.max(nowMs, ...waits.map(({ until }) => (until ? Date.parse(until) : 0)))),
  );
  if (earlier !== undefined) waits.push({ reason: 'earlier_message', messageId: earlier });
  return waits.length > 0 ? waits : [{ reason: 'turn' }];
}

function later(reason: Wait['reason'], until: string | undefined, nowMs: number): Wait[] {
  return until !== undefined && Date.parse(until) > nowMs ? [{ reason, until }] : [];
}

function retryDueAt({ id }: MessageView, { outcomes }: Surroundings): string | undefined {
  return timelineOf(outcomes, parseId(id).offset).at(-1)?.dueAt?.toISOString();
}

/** From the moment on when it could leave but for its windows. */
function window({ to }: MessageView, { batch, route }: Surroundings, fromMs: number): Wait[] {
  const windows = [batch?.defaults.sendWindow, route?.sendWindow];
  const opensAtMs = nextOpening(windows, { to, nowMs: fromMs });
  if (opensAtMs === fromMs) return [];
  const until = opensAtMs === Number.POSITIVE_INFINITY ? {} : { until: new Date(opensAtMs).toISOString() };
  return [{ reason: 'send_window', ...until }];
}
