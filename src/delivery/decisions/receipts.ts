import type { Clock } from '../../lib/clock.ts';
import { offsetsOf } from '../../message/bitmap.ts';
import { limits } from '../../message/limits.ts';
import { stateNumber } from '../../message/state.ts';
import type { ReceiptPlace, ReceiptRow } from '../../store/delivery/read-receipts.ts';
import type { Backlog } from '../backlog/backlog.ts';
import type { ChunkLoader } from '../chunks/chunk-loader.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { OutcomeStore, ReceiptStore } from '../delivery-store.ts';
import type { DeliveryCounts } from '../observe/delivery-counts.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { ReceiptInHand, Tenure } from '../ownership/tenure.ts';
import { bringChunks } from './bring-chunks.ts';

export interface ReceiptsSettings {
  store: ReceiptStore & OutcomeStore;
  clock: Clock;
  backlog: Backlog;
  loader: ChunkLoader;
  outcomes: OutcomeBuffer;
  counts: DeliveryCounts;
  tenures: () => ReadonlyMap<number, Tenure>;
  databaseNowMs: (monotonicMs: number) => number;
  /** Keys were forgotten that are still pending. */
  onForgotten: () => void;
}

/** Rows of one read, and reads of one turn: what is behind them has the next. */
const rowsMax = 500;
const readsMax = 20;
/** Chunks that are brought into memory together: of 1,000 messages each, their outcomes keep the thread for 0.1 s. */
const chunksMax = 50;
/** Shards on which rows are dropped at a time, each in a transaction of its own. */
const dropShardsMax = 50;
/** A message that is not through with its attempt is looked at again after so long, doubled each time up to the maximum. */
const againMs = { min: 250, max: 60_000 };
/** So long receipts wait for an attempt to end: as long as messages are tried by default. */
const openMsMax = 86_400_000;

const first: ReceiptPlace = { id: '00000000-0000-0000-0000-000000000000', shard: -1 };

/**
 * Makes outcomes of what providers told later: only the owner of a shard makes them. Rows are deleted in the transaction of
 * the outcomes that came of them, so that each is taken once, by whichever owner; one of a message that is not through with
 * its attempt stays until it is.
 */
export class Receipts {
  readonly #settings: ReceiptsSettings;
  /** Rows that stay open must not hide those behind them: the next turn goes on here. */
  #after = first;

  constructor(settings: ReceiptsSettings) {
    this.#settings = settings;
  }

  async runOnce(): Promise<void> {
    for (let reads = 0; reads < readsMax; reads++) {
      if (!(await this.#takePage())) return;
    }
  }

  /** False when that was the last of it. */
  async #takePage(): Promise<boolean> {
    const { store, clock, tenures } = this.#settings;
    const held = [...tenures().values()].filter(({ state }) => state === 'held');
    if (held.length === 0) return false;
    const beganAtMs = clock.monotonicMs();
    const shards = held.map(({ shard }) => shard);
    const rows = await store.readReceipts({ shards, after: this.#after, limit: rowsMax });
    const more = rows.length === rowsMax;
    const nowMs = clock.monotonicMs();
    const byChunk = new Map<string, ReceiptRow[]>();
    for (const row of rows) {
      const tenure = tenures().get(row.shard);
      // What was read before the claim may have been taken by the owner before.
      if (tenure?.state !== 'held' || tenure.sinceMs > beganAtMs) continue;
      const inHand = tenure.receipts.get(row.id);
      if (inHand && (inHand.answeredAtMs !== undefined || inHand.againAtMs > nowMs)) continue;
      const others = byChunk.get(row.chunkId);
      if (others) others.push(row);
      else byChunk.set(row.chunkId, [row]);
    }
    for (const tenure of held) forgetAnswered(tenure, beganAtMs);
    const chunks = [...byChunk];
    for (let start = 0; start < chunks.length; start += chunksMax) {
      await this.#take(new Map(chunks.slice(start, start + chunksMax)));
    }
    this.#after = more ? rows.at(-1)! : first;
    return more;
  }

  async #take(byChunk: ReadonlyMap<string, ReceiptRow[]>): Promise<void> {
    const shards = new Map([...byChunk].map(([id, [row]]) => [id, row!.shard]));
    const onWork = (work: ChunkWork) => {
      for (const row of byChunk.get(work.chunk.id)!) this.#apply(work, row);
      // A chunk that was brought for them must not stay.
      this.#settings.outcomes.add(work, 0);
    };
    const gone = await bringChunks(this.#settings, { shards, left: new Set(), onWork });
    await this.#drop(gone.flatMap((id) => byChunk.get(id)!));
  }

  #apply(work: ChunkWork, row: ReceiptRow): void {
    const { clock, counts, databaseNowMs } = this.#settings;
    const nowMs = clock.monotonicMs();
    const agoMs = Math.max(0, databaseNowMs(nowMs) - row.atMs);
    const { state, renewal, offsets, errorCode, details } = row;
    const { receipts } = work.chunk.tenure;
    const inHand = receipts.get(row.id);
    const isTaken = (offset: number) => inHand?.taken.has(offset) === true;
    const told = { kind: 'receipt', state, renewal, offsets, errorCode, details, isTaken } as const;
    const { matched, repeated, unchanged, open } = work.takeReceipts({ ...told, atMs: nowMs - agoMs });
    counts.receiptsMatched += matched.length;
    counts.receiptsRepeated += repeated.length;
    counts.receiptsUnchanged += unchanged.length;
    if (state === stateNumber.delivered) counts.delivered += matched.length;
    else counts.failed += matched.length;
    if (inHand === undefined) counts.receiptsEarly += open.length;
    // They are alike and make a few rows: they weigh as one.
    if (matched.length > 0) this.#settings.outcomes.add(work, 1);
    const waitedMs = databaseNowMs(nowMs) - row.receivedAtMs;
    if (open.length === 0) this.#settle(work, row.id);
    else if (waitedMs > openMsMax) {
      counts.receiptsUnknown += open.length;
      this.#settle(work, row.id);
    } else {
      const taken = [...(inHand?.taken ?? []), ...matched, ...repeated, ...unchanged];
      receipts.set(row.id, waitOn(taken, { nowMs, before: inHand }));
    }
  }

  #settle(work: ChunkWork, id: string): void {
    const { tenure } = work.chunk;
    const inHand: ReceiptInHand = { taken: new Set(), againAtMs: 0, waitMs: 0, answeredAtMs: null };
    tenure.receipts.set(id, inHand);
    work.receipts.push(id);
    this.#settings.outcomes.addAwaited(work, 0, (recorded) => {
      if (recorded) inHand.answeredAtMs = this.#settings.clock.monotonicMs();
    });
  }

  /** Their chunks are gone with their day. */
  async #drop(rows: readonly ReceiptRow[]): Promise<void> {
    const { store, tenures, counts } = this.#settings;
    const byShard = new Map<number, ReceiptRow[]>();
    for (const row of rows) {
      const others = byShard.get(row.shard);
      if (others) others.push(row);
      else if (byShard.size < dropShardsMax) byShard.set(row.shard, [row]);
    }
    const nothing = { outcomes: [], progress: [], finished: [], waiting: [], renewed: [], answered: [] };
    for (const [shard, dropped] of byShard) {
      const tenure = tenures().get(shard);
      if (tenure?.state !== 'held') continue;
      const receipts = dropped.map(({ id }) => id);
      if (!(await store.recordOutcomes({ shard, epoch: tenure.epoch, ...nothing, receipts }))) continue;
      for (const { offsets } of dropped) {
        counts.receiptsLate += offsetsOf(offsets, limits.chunkMessagesMax).length;
      }
    }
  }
}

function waitOn(
  taken: readonly number[],
  at: { nowMs: number; before: ReceiptInHand | undefined },
): ReceiptInHand {
  const waitMs = Math.min(at.before === undefined ? againMs.min : 2 * at.before.waitMs, againMs.max);
  return { taken: new Set(taken), waitMs, againAtMs: at.nowMs + waitMs };
}

/** A read that began before rows were deleted may still bring them; one that began since cannot. */
function forgetAnswered(tenure: Tenure, readBeganAtMs: number): void {
  for (const [id, { answeredAtMs }] of tenure.receipts) {
    if (answeredAtMs != null && answeredAtMs < readBeganAtMs) tenure.receipts.delete(id);
  }
}
