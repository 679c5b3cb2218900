import type { Clock } from '../../lib/clock.ts';
import { Fifo } from '../../lib/fifo.ts';
import { stateNumber } from '../../message/state.ts';
import type { InboxRow } from '../../store/delivery/read-inbox.ts';
import type { Backlog } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { ChunkLoader } from '../chunks/chunk-loader.ts';
import type { ChunkWork, Decided } from '../chunks/chunk-work.ts';
import type { DecisionStore } from '../delivery-store.ts';
import type { DeliveryCounts } from '../observe/delivery-counts.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { Tenure } from '../ownership/tenure.ts';
import type { Decision } from './decision.ts';

export interface DecisionsSettings {
  store: DecisionStore;
  clock: Clock;
  backlog: Backlog;
  loader: ChunkLoader;
  outcomes: OutcomeBuffer;
  counts: DeliveryCounts;
  tenures: () => ReadonlyMap<number, Tenure>;
  databaseNowMs: (monotonicMs: number) => number;
  /** So many messages more of a loaded chunk can be sent, or fewer. */
  onReady: (work: ChunkWork, messages: number) => void;
  onReplayed: (batch: string) => void;
  /** Keys were forgotten that are still pending. */
  onForgotten: () => void;
}

/** Requests read in one turn. */
const inboxRowsMax = 1_000;
/** Canceled chunks whose outcomes are read in one turn. */
const cancelChunksMax = 500;

/**
 * Turns what others ask for into outcomes: only the owner of a shard makes them. A request is deleted in the
 * transaction of the outcomes that answer it, so that it is answered once, by whichever owner. Chunks that are
 * not in memory are decided on without their text, and go back to the database.
 */
export class Decisions {
  readonly #settings: DecisionsSettings;
  readonly #canceled = new Fifo<PendingChunk>();

  constructor(settings: DecisionsSettings) {
    this.#settings = settings;
  }

  /** All of a chunk that is not sent yet is to be canceled; nothing of it is in memory but its key. */
  cancel(chunk: PendingChunk): void {
    chunk.place = 'deciding';
    this.#canceled.push(chunk);
  }

  /** The same of a loaded chunk. */
  cancelLoaded(work: ChunkWork): void {
    this.#apply(work, { kind: 'cancel', offsets: null });
  }

  async runOnce(): Promise<void> {
    await this.#cancelSome();
    await this.#takeInbox();
  }

  async #cancelSome(): Promise<void> {
    while (this.#canceled.length > 0) {
      const chunks: PendingChunk[] = [];
      while (chunks.length < cancelChunksMax && this.#canceled.length > 0) {
        const chunk = this.#canceled.shift()!;
        if (chunk.tenure.state === 'held') chunks.push(chunk);
      }
      try {
        for (const work of await this.#settings.loader.loadParked(chunks)) this.cancelLoaded(work);
      } catch (error) {
        for (const chunk of chunks) this.#canceled.push(chunk);
        throw error;
      }
    }
  }

  async #takeInbox(): Promise<void> {
    const { store, clock, tenures } = this.#settings;
    const held = [...tenures().values()].filter((tenure) => tenure.state === 'held');
    if (held.length === 0) return;
    const beganAtMs = clock.monotonicMs();
    const rows = await store.readInbox({ shards: held.map(({ shard }) => shard), limit: inboxRowsMax });
    const byChunk = new Map<string, InboxRow[]>();
    for (const row of rows) {
      const tenure = tenures().get(row.shard);
      // What was read before the claim may have been answered by the owner before.
      if (tenure?.state !== 'held' || tenure.sinceMs > beganAtMs || tenure.decisions.has(row.id)) continue;
      const others = byChunk.get(row.chunkId);
      if (others) others.push(row);
      else byChunk.set(row.chunkId, [row]);
    }
    for (const tenure of held) forgetAnswered(tenure, beganAtMs);
    if (byChunk.size > 0) await this.#decide(byChunk);
  }

  async #decide(byChunk: Map<string, InboxRow[]>): Promise<void> {
    const { backlog, loader, tenures } = this.#settings;
    const unknown: string[] = [];
    const parked: PendingChunk[] = [];
    for (const [id, [row]] of byChunk) {
      const chunk = tenures().get(row!.shard)?.chunks.get(id);
      if (chunk === undefined) unknown.push(id);
      else if (chunk.place === 'waiting' || chunk.place === 'due') {
        // At once: it must not be loaded to be sent as well while the keys of others are read.
        chunk.place = 'deciding';
        parked.push(chunk);
      } else if (chunk.place === 'loaded' && !chunk.work!.closed) this.#answer(chunk.work!, byChunk.get(id)!);
      // Else it is on its way into memory or out of it: the next turn finds it.
    }
    try {
      parked.push(...(await this.#adopt(unknown)));
      for (const work of await loader.loadParked(parked)) this.#answer(work, byChunk.get(work.chunk.id)!);
    } catch (error) {
      for (const chunk of parked) backlog.forget(chunk);
      this.#settings.onForgotten();
      throw error;
    }
  }

  /** Takes in chunks that are not in memory. */
  async #adopt(ids: string[]): Promise<PendingChunk[]> {
    if (ids.length === 0) return [];
    const { backlog, store, tenures } = this.#settings;
    const adopted: PendingChunk[] = [];
    for (const key of await store.loadChunkKeys({ ids })) {
      const tenure = tenures().get(key.shard);
      // It may have been taken in while its key was read.
      if (tenure?.state === 'held' && !tenure.chunks.has(key.chunkId)) {
        adopted.push(backlog.adopt(tenure, key));
      }
    }
    return adopted;
  }

  #answer(work: ChunkWork, rows: readonly InboxRow[]): void {
    const { batch } = work.chunk;
    for (const row of rows) {
      if (row.kind === 'replay' && batch !== null) this.#settings.onReplayed(batch);
      const { open } = this.#apply(work, decisionOf(row));
      if (!open) this.#settle(work, row.id);
    }
    // Whether or not anything came of it, a request is answered, and a chunk without text must not stay.
    this.#settings.outcomes.add(work, 0);
  }

  #apply(work: ChunkWork, decision: Decision): Decided {
    const { backlog, clock, counts, databaseNowMs, outcomes, onReady } = this.#settings;
    const nowMs = clock.monotonicMs();
    const decided = work.decide(decision, { nowMs, databaseNowMs: databaseNowMs(nowMs) });
    // A message that is replayed before its schedule waits for that.
    backlog.wakeWork(work);
    if (decision.kind === 'cancel' || decision.kind === 'erase') counts.canceled += decided.recorded;
    // Alike for all of the chunk, they make a few rows: they weigh as one.
    if (decided.recorded > 0 || work.resting) outcomes.add(work, Math.min(decided.recorded, 1));
    if (decided.ready !== 0) onReady(work, decided.ready);
    return decided;
  }

  #settle(work: ChunkWork, id: string): void {
    const { tenure } = work.chunk;
    tenure.decisions.set(id, null);
    work.answered.push(id);
    this.#settings.outcomes.addUrgent(work, 0, (recorded) => {
      if (recorded) tenure.decisions.set(id, this.#settings.clock.monotonicMs());
    });
  }
}

/** A read that began before a request was deleted may still bring it; one that began since cannot. */
function forgetAnswered(tenure: Tenure, readBeganAtMs: number): void {
  for (const [id, atMs] of tenure.decisions) {
    if (atMs !== null && atMs < readBeganAtMs) tenure.decisions.delete(id);
  }
}

function decisionOf({ kind, offsets, filter }: InboxRow): Decision {
  if (kind === 'cancel' || kind === 'erase') return { kind, offsets };
  if (kind === 'resolve') {
    const { state = 'failed', errorCode, detail = '' } = filter;
    const error = errorCode === undefined ? undefined : { code: errorCode, detail };
    return { kind, offsets, outcome: { state: stateNumber[state], ...(error && { error }) } };
  }
  const { states = [], errorCode } = filter;
  const numbers = states.map((state) => stateNumber[state]);
  return { kind, offsets, states: numbers, ...(errorCode !== undefined && { errorCode }) };
}
