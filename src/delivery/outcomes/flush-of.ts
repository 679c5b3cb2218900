import { bitmapOf } from '../../message/bitmap.ts';
import { providerRefHash } from '../../message/provider-ref-hash.ts';
import { isFinal, type StateNumber, stateNumber } from '../../message/state.ts';
import type {
  OutcomeFlush,
  OutcomeInsert,
  PendingRenewal,
  PendingUpdate,
  ProgressDelta,
  ProviderReference,
} from '../../store/delivery/record-outcomes.ts';
import type { ErasedMessages } from '../../store/erasure/scrub-outcomes.ts';
import { mayLeaveMemory } from '../chunks/at-rest.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { RecordedOutcomes } from '../observe/delivery-observer.ts';
import type { Tenure } from '../ownership/tenure.ts';
import { CountedOutcomes } from './counted-outcomes.ts';
import type { OutcomeGroup } from './outcome-groups.ts';

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
  /** What its outcomes weighed in the buffer. */
  weight: number;
  rests: FlushRest[];
  /** What `flush.outcomes` say, for those who look. */
  told: RecordedOutcomes[];
  /** Messages with ordering keys that came to their end. */
  settled: { work: ChunkWork; offsets: number[] }[];
}

interface FlushAt {
  nowMs: number;
  /** Whether the messages of a route are to be found by their provider's own ids. */
  keepsRefs: (routeId: number) => boolean;
  /** The database's clock at a moment of the monotonic one. */
  databaseNowMs: (monotonicMs: number) => number;
}

/** What the chunks of one shard have to record at this moment. They are clean afterwards. */
export function flushOf(
  tenure: Tenure,
  works: readonly ChunkWork[],
  { nowMs, keepsRefs, databaseNowMs }: FlushAt,
): PreparedFlush {
  const outcomes: OutcomeInsert[] = [];
  const progress = new Map<string, ProgressDelta>();
  const finished: string[] = [];
  const waiting: PendingUpdate[] = [];
  const renewed: PendingRenewal[] = [];
  const answered: string[] = [];
  const erased: ErasedMessages[] = [];
  const receipts: string[] = [];
  const references: ProviderReference[] = [];
  const recounted = new Set<string>();
  const rests: FlushRest[] = [];
  const told: RecordedOutcomes[] = [];
  const settled: PreparedFlush['settled'] = [];
  const counted = new CountedOutcomes({ nowMs, databaseNowMs });
  let weight = 0;
  for (const work of works) {
    work.dirty = false;
    work.urgent = false;
    const groups = work.takeGroups();
    for (const group of groups) {
      outcomes.push(outcomeRow({ work, group, seq: tenure.nextSeq(), nowMs }));
      told.push({ chunk: work.chunk, group });
      count(progress, work.chunk.batch, group);
      counted.add(work, group);
      if (group.providerRefs !== null && keepsRefs(work.chunk.lane.key.routeId)) {
        references.push(...referencesOf(work, group));
      }
      if (work.chunk.batch !== null && isFinal(group.prior) && isFinal(group.state)) {
        recounted.add(work.chunk.batch);
      }
    }
    const ended = work.keyed?.takeSettled() ?? [];
    if (ended.length > 0) settled.push({ work, offsets: ended });
    weight += work.unrecorded;
    work.unrecorded = 0;
    const answers = work.answered.splice(0);
    answered.push(...answers);
    const ofReceipts = work.receipts.splice(0);
    receipts.push(...ofReceipts);
    const { id: chunkId, count: messages } = work.chunk;
    const gone = work.takeErased();
    if (gone.length > 0) erased.push({ chunkId, offsets: bitmapOf(messages, gone), count: messages });
    if (!mayLeaveMemory(work, nowMs)) continue;
    const rest = restOf(work, nowMs);
    rests.push(rest);
    work.closed = true;
    if (rest.finished) {
      // A chunk that was done before is not pending, but it may be again when this arrives late and without outcomes.
      if (groups.length > 0 || answers.length + ofReceipts.length === 0) finished.push(chunkId);
    } else if (work.parked && groups.length > 0) renewed.push(renewalOf(rest, nowMs));
    else waiting.push(updateOf(rest, nowMs));
  }
  // In order of key, so that two transactions never wait for each other.
  const deltas = [...progress.values()].filter(({ delta }) => delta !== 0);
  deltas.sort((a, b) => (a.batch < b.batch ? -1 : a.batch > b.batch ? 1 : a.state - b.state));
  const { shard, epoch } = tenure;
  const entries = counted.encode();
  return {
    flush: {
      ...{ shard, epoch, outcomes, progress: deltas, finished, waiting, renewed, answered, erased, receipts },
      references,
      // In order of key as well.
      recounted: [...recounted].sort(),
      ...(entries !== '' && { statistics: { id: outcomes[0]!.seq, agoMs: 0, entries } }),
    },
    weight,
    rests,
    told,
    settled,
  };
}

function outcomeRow(of: { work: ChunkWork; group: OutcomeGroup; seq: string; nowMs: number }): OutcomeInsert {
  const { work, group, seq, nowMs } = of;
  const { chunk } = work;
  const { offsets, details, providerRefs } = inOrder(group);
  return {
    accountId: chunk.lane.key.accountId,
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

function referencesOf(work: ChunkWork, { offsets, providerRefs }: OutcomeGroup): ProviderReference[] {
  const { id: chunkId, lane } = work.chunk;
  const { routeId } = lane.key;
  return offsets.flatMap((offset, index) => {
    const ref = providerRefs?.[index];
    if (ref == null) return [];
    return [
      { hash: providerRefHash(routeId, ref), routeId, chunkId, offset, renewal: work.renewalsAt(offset) },
    ];
  });
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
  if (group.state !== stateNumber.queued) raise(progress, batch, group.state, group.offsets.length);
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

function restOf(work: ChunkWork, nowMs: number): FlushRest {
  if (work.unsettled === 0) {
    return { work, finished: true, remaining: null, dueAtMs: Number.POSITIVE_INFINITY };
  }
  const offsets = work.parked || work.keyed ? work.unsettledOffsets() : work.waitingOffsets();
  const dueAtMs = work.parked && work.unsettled > work.waitingMessages ? nowMs : work.nextDueAtMs;
  // All of a chunk that waits for its time is not a retry.
  const remaining = work.untried ? null : bitmapOf(work.chunk.count, offsets);
  return { work, finished: false, remaining, dueAtMs };
}

/** What waits for other messages may go at any time: an owner that comes new to the chunk has to look. */
function updateOf({ work, remaining, dueAtMs }: FlushRest, nowMs: number): PendingUpdate {
  const dueInMs = (work.keyed?.count ?? 0) > 0 ? 0 : dueAtMs - nowMs;
  return { chunkId: work.chunk.id, remaining, dueInMs, putOffBy: work.putOffBy };
}

/**
 * A chunk of which messages were reopened may be pending no more, so that its whole row is told. Only together with their
 * outcomes: those are found when this arrives a second time, and then it puts nothing back that was done since.
 */
function renewalOf({ work, remaining, dueAtMs }: FlushRest, nowMs: number): PendingRenewal {
  const { id: chunkId, batch, count, lane } = work.chunk;
  return { chunkId, batch, count, ...lane.key, remaining, dueInMs: dueAtMs - nowMs, putOffBy: work.putOffBy };
}
