import type { Clock } from '../../lib/clock.ts';
import type { PendingRow } from '../../store/delivery/read-pending.ts';
import type { PendingStore } from '../delivery-store.ts';
import type { Tenure } from '../ownership/tenure.ts';
import type { Backlog } from './backlog.ts';
import { type Lane, laneKeysMax } from './lane.ts';

export interface PendingReaderSettings {
  store: PendingStore;
  clock: Clock;
  backlog: Backlog;
  /** Shards whose chunks may be sent. */
  heldShards: () => number[];
}

/** Every read looks this far back by the time in the ids: most transactions commit within it. */
const shortOverlapMs = 2_000;
/**
 * An id is made before its transaction commits, and a commit may come late: intake tries for 10 s, its last
 * transaction takes at most 15 s (statement limit and client's grace), and the clocks of two primaries may
 * differ by some seconds.
 */
const longOverlapMs = 40_000;
/** One read in so many looks back the whole overlap. */
const longEveryReads = 8;
const pageRows = 2_000;
/** Pages of all keys in one turn: a long backlog must not keep what is new waiting. */
const pagesPerTurn = 4;
/** Whatever was missed, and whatever was due too late to be kept, is found by reading everything. */
const readAllEveryMs = 60_000;
const releasedEveryMs = 1_000;
const releasedAgeMs = 30_000;

/** A way through all the keys of some shards, or those of some batches on them, page by page. */
interface Pass {
  shards: number[];
  batches?: string[];
  after: { chunkId: string; shard: number };
}

const firstKey = { chunkId: '00000000-0000-0000-0000-000000000000', shard: -1 };

/** Finds the pending chunks of the owned shards. */
export class PendingReader {
  readonly #settings: PendingReaderSettings;
  /** Ways through what was claimed or released lately, before the one through all that is held. */
  readonly #passes: Pass[] = [];
  #all: Pass | undefined;
  #turn = 0;
  #readAllAtMs = Number.NEGATIVE_INFINITY;
  #releasedAtMs = Number.NEGATIVE_INFINITY;
  #released = new Set<string>();
  #readAllNow = false;

  constructor(settings: PendingReaderSettings) {
    this.#settings = settings;
  }

  /** Everything that is pending on these shards is read, beginning with the next turn. */
  noteClaimed(tenures: readonly Tenure[]): void {
    this.#passes.push({ shards: tenures.map((tenure) => tenure.shard), after: firstKey });
  }

  readAllSoon(): void {
    this.#readAllNow = true;
  }

  /** One turn: what is new, and a part of whatever else is due to be read. */
  async runOnce(): Promise<void> {
    const shards = this.#settings.heldShards();
    if (shards.length === 0) return;
    const nowMs = this.#settings.clock.monotonicMs();
    await this.#readRecent(shards, this.#turn++ % longEveryReads === 0 ? longOverlapMs : shortOverlapMs);
    await this.#noteReleased(shards, nowMs);
    if (this.#all === undefined && (this.#readAllNow || nowMs - this.#readAllAtMs >= readAllEveryMs)) {
      // Asked for again on the way, it is done again.
      this.#readAllNow = false;
      this.#readAllAtMs = nowMs;
      this.#all = { shards, after: firstKey };
    }
    for (let page = 0; page < pagesPerTurn; page++) if (!(await this.#readPage())) break;
    for (const lane of this.#settings.backlog.lanes) {
      if (lane.overflown && lane.unordered < laneKeysMax / 2) await this.#refill(lane, shards);
    }
  }

  /** False when there is nothing more to read. After a fault, the same page is read again. */
  async #readPage(): Promise<boolean> {
    const pass = this.#passes[0] ?? this.#all;
    if (pass === undefined) return false;
    const { batches, ...of } = pass;
    const page = { ...of, limit: pageRows };
    const rows = await this.#read((store) =>
      batches ? store.readPendingOfBatches({ ...page, batches }) : store.readPendingAfter(page),
    );
    if (rows.length === pageRows) pass.after = rows.at(-1)!;
    else if (pass === this.#all) this.#all = undefined;
    else this.#passes.shift();
    return true;
  }

  async #readRecent(shards: number[], ageMs: number): Promise<void> {
    let rows = await this.#read((store) => store.readRecentPending({ shards, ageMs, limit: pageRows }));
    while (rows.length === pageRows) {
      const after = rows.at(-1)!;
      rows = await this.#read((store) => store.readPendingAfter({ shards, after, limit: pageRows }));
    }
  }

  /** From the oldest key on: those in memory are passed over, and few are left in front of the others. */
  async #refill(lane: Lane, shards: number[]): Promise<void> {
    lane.overflown = false;
    try {
      for (let after = firstKey; !lane.overflown; ) {
        const read = { shards, lane: lane.key, after, limit: pageRows };
        const rows = await this.#read((store) => store.readPendingOfLane(read));
        if (rows.length < pageRows) return;
        after = rows.at(-1)!;
      }
    } catch (error) {
      lane.overflown = true;
      throw error;
    }
  }

  /**
   * Releasing a batch makes old chunks due, which no read of recent ids would find. Only its own are read: with 20,000,000
   * messages of others waiting, reading everything for each release made 200,000 cost 1.19 times as much to deliver.
   */
  async #noteReleased(shards: number[], nowMs: number): Promise<void> {
    if (nowMs - this.#releasedAtMs < releasedEveryMs) return;
    this.#releasedAtMs = nowMs;
    const released = new Set(await this.#settings.store.readReleasedBatches(releasedAgeMs));
    const batches = [...released].filter((batch) => !this.#released.has(batch));
    if (batches.length > 0) this.#passes.push({ shards, batches, after: firstKey });
    this.#released = released;
  }

  async #read(query: (store: PendingStore) => Promise<PendingRow[]>): Promise<PendingRow[]> {
    const { backlog, store } = this.#settings;
    const read = backlog.beginRead();
    try {
      const rows = await query(store);
      for (const row of rows) backlog.takeRow(row, read);
      return rows;
    } finally {
      backlog.endRead(read);
    }
  }
}
