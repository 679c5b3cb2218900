import type { Answer } from '../../connectors/connector.ts';
import type { Route } from '../../message/route.ts';
import { stateNumber } from '../../message/state.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { countOutcome, type DeliveryCounts } from '../observe/delivery-counts.ts';
import type { DeliveryObserver } from '../observe/delivery-observer.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';
import type { MessageWindows } from '../windows/message-windows.ts';
import { notSent } from './mark-slice.ts';
import type { Slice } from './slice.ts';
import { verdict } from './verdict.ts';

export interface SliceSettling {
  random: () => number;
  counts: DeliveryCounts;
  observer?: DeliveryObserver;
  /** What certainly was not sent is not an attempt any more: the worker hands its chunks back. */
  isStopping: () => boolean;
  /** The database's clock at a moment of the monotonic one: the times in ids follow it. */
  databaseNowMs: (monotonicMs: number) => number;
  windows: MessageWindows;
  /** Outcomes were recorded in `work`. */
  onRecorded: (work: ChunkWork, messages: number) => void;
}

export interface AnsweredSlice {
  route: Route;
  slice: Slice;
  /** In the order of its messages; one that is missing tells nothing. */
  answers: readonly Answer[];
  /** This worker itself did not let it begin: it is no attempt. */
  refused: boolean;
  beganAtMs: number;
  nowMs: number;
}

/** A request was answered: makes outcomes of it, and lets the shards of its chunks go. */
export function settleSlice(answered: AnsweredSlice, context: SliceSettling): void {
  const { works } = answered.slice;
  if (!answered.refused) context.observer?.answered(answered, context.databaseNowMs);
  let recorded = 0;
  for (let index = 0; index < works.length; index++) {
    const work = works[index]!;
    work.chunk.tenure.inFlight--;
    if (record(index, answered, context)) recorded++;
    if (works[index + 1] === work) continue;
    if (recorded > 0) context.onRecorded(work, recorded);
    recorded = 0;
  }
}

function record(index: number, answered: AnsweredSlice, context: SliceSettling): boolean {
  const { slice, answers, refused, nowMs, beganAtMs, route } = answered;
  const { isStopping } = context;
  const { attempt } = slice.messages[index]!;
  const work = slice.works[index]!;
  const offset = slice.offsets[index]!;
  const answer = answers[index] ?? unanswered;
  const { onUncertain } = route;
  const unsent = answer.kind === 'retry' && (refused || isStopping());
  if (work.chunk.tenure.state === 'ended' || (unsent && isStopping() && onUncertain === 'resend')) {
    work.giveBack(offset);
    return false;
  }
  if (unsent) {
    // It is no attempt; and where it was marked as in flight, the next owner would take it for an uncertain send.
    const { state } = work.record(offset, notSent(attempt, nowMs));
    if (state === stateNumber.canceled) context.counts.canceled++;
    return true;
  }
  const outcome = judge(answer, { work, offset, attempt, route, beganAtMs, nowMs }, context);
  countOutcome(context.counts, work.record(offset, outcome));
  return true;
}

/** What an attempt that was answered makes of a message. */
export function judge(
  answer: Answer,
  attempted: {
    work: ChunkWork;
    offset: number;
    attempt: number;
    route: Route;
    beganAtMs: number;
    nowMs: number;
  },
  { windows, databaseNowMs, random }: Pick<SliceSettling, 'windows' | 'databaseNowMs' | 'random'>,
): MessageOutcome {
  const { work, offset, attempt, route, beganAtMs, nowMs } = attempted;
  const { retry: policy, onUncertain } = route;
  const expiresAtMs = () => {
    const hours = windows.hoursOf(route, work, offset);
    return work.expiry.atMs(offset, policy.expireAfterMs, hours) - databaseNowMs(nowMs) + nowMs;
  };
  const attemptsBefore = work.attemptsBeforeAt(offset);
  const at = { attempt, attemptsBefore, policy, onUncertain, nowMs, expiresAtMs, random };
  const outcome = verdict(answer, at);
  outcome.beganAtMs = beganAtMs;
  return outcome;
}

const unanswered: Answer = {
  kind: 'uncertain',
  error: { code: 'internal_unanswered', detail: 'The connector gave no answer for this message' },
};
