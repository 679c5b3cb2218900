import { bitmapOf } from '../message/bitmap.ts';
import { type StateNumber, stateNumber } from '../message/state.ts';
import type {
  OutcomeFlush,
  OutcomeInsert,
  PendingUpdate,
  ProgressDelta,
} from '../store/delivery/record-outcomes.ts';
import type { ChunkWork, OutcomeGroup } from './chunk-work.ts';
import type { Tenure } from './tenure.ts';

/** A chunk on which nothing can be done for now. */
export interface FlushRest {
  work: ChunkWork;
  finished: boolean;
  /** Of what waits: the offsets, and when the first of them is due. */
  remaining: Uint8Array | null;
  dueAtMs: number;
}

export interface PreparedFlush {
  flush: OutcomeFlush;
  /** Outcomes in it. */
  messages: number;
  rests: FlushRest[];
}

/** What the chunks of one shard have to record at this moment. They are clean afterwards. */
export function flushOf(tenure: Tenure, works: readonly ChunkWork[], nowMs: number): PreparedFlush {
  const outcomes: OutcomeInsert[] = [];
  const progress = new Map<string, ProgressDelta>();
  const finished: string[] = [];
  const waiting: PendingUpdate[] = [];
  const rests: FlushRest[] = [];
  let messages = 0;
  for (const work of works) {
    work.dirty = false;
    for (const group of work.takeGroups()) {
      outcomes.push(outcomeRow({ work, group, seq: tenure.nextSeq(), nowMs }));
      count(progress, work.chunk.batch, group);
      messages += group.offsets.length;
    }
    if (!work.resting) continue;
    const rest = restOf(work);
    rests.push(rest);
    work.closed = true;
    if (rest.finished) finished.push(work.chunk.id);
    else waiting.push({ chunkId: work.chunk.id, remaining: rest.remaining!, dueInMs: rest.dueAtMs - nowMs });
  }
  // In order of key, so that two transactions never wait for each other.
  const deltas = [...progress.values()].filter(({ delta }) => delta !== 0);
  deltas.sort((a, b) => (a.batch < b.batch ? -1 : a.batch > b.batch ? 1 : a.state - b.state));
  const { shard, epoch } = tenure;
  return { flush: { shard, epoch, outcomes, progress: deltas, finished, waiting }, messages, rests };
}

function outcomeRow(of: { work: ChunkWork; group: OutcomeGroup; seq: string; nowMs: number }): OutcomeInsert {
  const { work, group, seq, nowMs } = of;
  const { chunk } = work;
  const { offsets, details, providerRefs } = inOrder(group);
  return {
    chunkId: chunk.id,
    seq,
    batch: chunk.batch,
    state: group.state,
    attempt: group.attempt,
    count: offsets.length,
    offsets: offsets.length === chunk.count ? null : bitmapOf(chunk.count, offsets),
    errorCode: group.errorCode,
    details: details?.every((detail) => detail === details[0]) ? [details[0]!] : details,
    providerRefs,
    agoMs: nowMs - group.atMs,
    dueInMs: group.dueAtMs === null ? null : group.dueAtMs - nowMs,
  };
}

/** Details and references follow the order of the offsets; answers come in any order. */
function inOrder(group: OutcomeGroup): Pick<OutcomeGroup, 'offsets' | 'details' | 'providerRefs'> {
  const { offsets, details, providerRefs } = group;
  if (offsets.every((offset, index) => index === 0 || offset > offsets[index - 1]!)) return group;
  const order = offsets.map((_, index) => index).sort((a, b) => offsets[a]! - offsets[b]!);
  return {
    offsets: order.map((index) => offsets[index]!),
    details: details && order.map((index) => details[index]!),
    providerRefs: providerRefs && order.map((index) => providerRefs[index]!),
  };
}

/** `queued` has no counter, it is what is left; a message that leaves `retrying` is counted out of it. */
function count(progress: Map<string, ProgressDelta>, batch: string | null, group: OutcomeGroup): void {
  if (batch === null) return;
  raise(progress, batch, group.state, group.offsets.length);
  if (group.prior !== stateNumber.queued) {
    raise(progress, batch, group.prior as StateNumber, -group.offsets.length);
  }
}

function raise(progress: Map<string, ProgressDelta>, batch: string, state: StateNumber, delta: number): void {
  const key = `${batch}${state}`;
  const entry = progress.get(key);
  if (entry) entry.delta += delta;
  else progress.set(key, { batch, state, delta });
}

function restOf(work: ChunkWork): FlushRest {
  if (work.unsettled === 0) {
    return { work, finished: true, remaining: null, dueAtMs: Number.POSITIVE_INFINITY };
  }
  const remaining = bitmapOf(work.chunk.count, work.waitingOffsets());
  return { work, finished: false, remaining, dueAtMs: work.nextDueAtMs };
}
