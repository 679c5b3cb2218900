import type { Clock } from '../../lib/clock.ts';
import { Fifo } from '../../lib/fifo.ts';
import { stateNumber } from '../../message/state.ts';
import type { InboxPlace, InboxRead, InboxRow } from '../../store/delivery/read-inbox.ts';
import type { Backlog } from '../backlog/backlog.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { isAtRest } from '../chunks/at-rest.ts';
import type { ChunkLoader } from '../chunks/chunk-loader.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { DecisionStore, OutcomeStore } from '../delivery-store.ts';
import type { DeliveryCounts } from '../observe/delivery-counts.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { Tenure } from '../ownership/tenure.ts';
import { bringChunks } from './bring-chunks.ts';
import type { Decided, Decision, ReceiptDecision } from './decision.ts';

export interface DecisionsSettings {
  store: DecisionStore & OutcomeStore;
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

/** Requests about single messages that are read at a time. */
const messageRequestsMax = 1_000;
/** Chunks brought at a time, and decided on as a whole: of 1,000 messages each, they keep the thread for 0.1 to 0.3 s (measured on a busy machine). */
const wholeChunksMax = 50;
/** How often in a turn, at most, the inbox is asked for so many. */
const wholeRequestReadsMax = 20;
/** Shards on which requests are dropped at a time, each in a transaction of its own. */
const dropShardsMax = 50;

/** Once through the requests, from the oldest to the newest, so that those that stay open hide none. */
interface InboxPass {
  readonly of: InboxRead['of'];
  after?: InboxPlace | undefined;
  /** Chunks that could not be decided on at their first request: their later ones must not overtake it. */
  readonly left: Set<string>;
}

/**
 * Turns what others ask for into outcomes: only the owner of a shard makes them. A request is deleted in the
 * transaction of the outcomes that answer it, so that it is answered once, by whichever owner. Chunks that are
 * not in memory are decided on without their text, and go back to the database.
 *
 * What is asked about single messages goes first, and between any two portions of what is asked about batches.
 */
export class Decisions {
  readonly #settings: DecisionsSettings;
  readonly #canceled = new Fifo<PendingChunk>();
  #wholes = passOf('chunks');

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
    let readsLeft = wholeRequestReadsMax;
    do {
      const messages = passOf('messages');
      while (await this.#takePage(messages, messageRequestsMax));
      await this.#cancelSome();
      if (readsLeft-- > 0 && !(await this.#takePage(this.#wholes, wholeChunksMax))) {
        readsLeft = 0;
        this.#wholes = passOf('chunks');
      }
    } while (readsLeft > 0 || this.#canceled.length > 0);
  }

  async #cancelSome(): Promise<void> {
    const chunks: PendingChunk[] = [];
    while (chunks.length < wholeChunksMax && this.#canceled.length > 0) {
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

  /** Takes what is asked next; false when that was the last of it. */
  async #takePage(pass: InboxPass, limit: number): Promise<boolean> {
    const { store, clock, tenures } = this.#settings;
    const held = [...tenures().values()].filter((tenure) => tenure.state === 'held');
    if (held.length === 0) return false;
    const beganAtMs = clock.monotonicMs();
    const { of, after, left } = pass;
    const rows = await store.readInbox({ shards: held.map(({ shard }) => shard), of, after, limit });
    pass.after = rows.at(-1);
    const byChunk = new Map<string, InboxRow[]>();
    for (const row of rows) {
      const tenure = tenures().get(row.shard);
      // What was read before the claim may have been answered by the owner before.
      if (tenure?.state !== 'held' || tenure.sinceMs > beganAtMs || tenure.decisions.has(row.id)) continue;
      if (left.has(row.chunkId)) continue;
      const others = byChunk.get(row.chunkId);
      if (others) others.push(row);
      else byChunk.set(row.chunkId, [row]);
    }
    for (const tenure of held) forgetAnswered(tenure, beganAtMs);
    // Those that are not in memory are brought with the text of their messages where that tells tags: up to 1 MiB each.
    const chunks = [...byChunk];
    for (let start = 0; start < chunks.length; start += wholeChunksMax) {
      await this.#decide(new Map(chunks.slice(start, start + wholeChunksMax)), left);
    }
    return rows.length === limit;
  }

  async #decide(byChunk: ReadonlyMap<string, InboxRow[]>, left: Set<string>): Promise<void> {
    const shards = new Map([...byChunk].map(([id, [row]]) => [id, row!.shard]));
    const answer = (work: ChunkWork) => this.#answer(work, byChunk.get(work.chunk.id)!);
    const gone = await bringChunks(this.#settings, { shards, left, onWork: answer });
    await this.#drop(gone.flatMap((id) => byChunk.get(id)!));
  }

  /** Their chunks are gone with their day: nobody can answer them any more, and their batches would never be done. */
  async #drop(rows: readonly InboxRow[]): Promise<void> {
    const { store, tenures } = this.#settings;
    const byShard = new Map<number, string[]>();
    for (const { shard, id } of rows) {
      const ids = byShard.get(shard);
      if (ids) ids.push(id);
      else if (byShard.size < dropShardsMax) byShard.set(shard, [id]);
    }
    const nothing = { outcomes: [], progress: [], finished: [], waiting: [], renewed: [] };
    for (const [shard, answered] of byShard) {
      const tenure = tenures().get(shard);
      if (tenure?.state === 'held') {
        await store.recordOutcomes({ shard, epoch: tenure.epoch, ...nothing, answered });
      }
    }
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

  #apply(work: ChunkWork, decision: Exclude<Decision, ReceiptDecision>): Decided {
    const { backlog, clock, counts, databaseNowMs, outcomes, onReady } = this.#settings;
    const nowMs = clock.monotonicMs();
    const decided = work.decide(decision, { nowMs, databaseNowMs: databaseNowMs(nowMs) });
    // A message that is replayed before its schedule waits for that.
    backlog.wakeWork(work);
    if (decision.kind === 'cancel' || decision.kind === 'erase') counts.canceled += decided.recorded;
    // Alike for all of the chunk, they make a few rows: they weigh as one.
    if (decided.recorded > 0 || isAtRest(work)) outcomes.add(work, Math.min(decided.recorded, 1));
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

function passOf(of: InboxPass['of']): InboxPass {
  return { of, left: new Set() };
}

/** A read that began before a request was deleted may still bring it; one that began since cannot. */
function forgetAnswered(tenure: Tenure, readBeganAtMs: number): void {
  for (const [id, atMs] of tenure.decisions) {
    if (atMs !== null && atMs < readBeganAtMs) tenure.decisions.delete(id);
  }
}

function decisionOf({ kind, offsets, filter }: InboxRow): Exclude<Decision, ReceiptDecision> {
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
