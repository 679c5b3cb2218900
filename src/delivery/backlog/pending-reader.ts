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
/** Not further in one read, after an outage or a long turn. */
const lookBackMaxMs = 2 * longOverlapMs;
/** One read in so many looks back the whole overlap. */
const longEveryReads = 8;
const pageRows = 2_000;
/** Pages of all keys in one turn: a long backlog must not keep what is new waiting. */
const pagesPerTurn = 4;
/** Whatever was missed, and whatever was due too late to be kept, is found by reading everything. */
const readAllEveryMs = 60_000;
const releasedEveryMs = 1_000;
const releasedAgeMs = 30_000;

/** Batches of which a page is read in one turn; more that wait, and everything is read instead. */
const releasedPerTurn = 50;
const releasedWaitingMax = 1_000;

/** A way through all the keys of some shards, page by page. */
interface Pass {
  shards: number[];
  after: { chunkId: string; shard: number };
}

const firstKey = { chunkId: '00000000-0000-0000-0000-000000000000', shard: -1 };

/** Finds the pending chunks of the owned shards. */
export class PendingReader {
  readonly #settings: PendingReaderSettings;
  /** Ways through the shards that were claimed lately, and through all of them. */
  readonly #claimed: Pass[] = [];
  #all: Pass | undefined;
  #turn = 0;
  /** When the last read of what is new began, and the last that looked back the whole overlap. */
  #newAtMs: number | undefined;
  #allNewAtMs: number | undefined;
  #readAllAtMs = Number.NEGATIVE_INFINITY;
  #releasedAtMs = Number.NEGATIVE_INFINITY;
  /** Of the last half minute. */
  #released = new Set<string>();
  /** Batches whose chunks are to be read, each with the last one that was. */
  readonly #releases = new Map<string, string | undefined>();
  #readAllNow = false;

  constructor(settings: PendingReaderSettings) {
    this.#settings = settings;
  }

  /** Everything that is pending on these shards is read, beginning with the next turn. */
  noteClaimed(tenures: readonly Tenure[]): void {
    this.#claimed.push({ shards: tenures.map((tenure) => tenure.shard), after: firstKey });
  }

  readAllSoon(): void {
    this.#readAllNow = true;
  }

  /** Its chunks have become due, which no read of recent ids would find: they are read, beginning with the next turn. */
  noteReleased(batch: string): void {
    if (this.#released.has(batch)) return;
    this.#released.add(batch);
    this.#releases.set(batch, undefined);
    if (this.#releases.size > releasedWaitingMax) this.#readAllInstead();
  }

  /** A chunk of it was in use when its batch was released, if it was: it has to be read once more. */
  noteForgotten(batch: string): void {
    if (this.#released.has(batch)) this.#releases.set(batch, undefined);
  }

  /** One turn: what is new, and a part of whatever else is due to be read. */
  async runOnce(): Promise<void> {
    const shards = this.#settings.heldShards();
    const nowMs = this.#settings.clock.monotonicMs();
    if (shards.length === 0) {
      // Shards that are claimed are read as a whole.
      this.#newAtMs = undefined;
      this.#allNewAtMs = undefined;
      return;
    }
    await this.#readNew(shards, nowMs);
    await this.#lookForReleased(nowMs);
    await this.#readReleased(shards);
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
    const claimed = this.#claimed[0];
    const pass = claimed ?? this.#all;
    if (pass === undefined) return false;
    const { shards, after } = pass;
    const rows = await this.#read((store) => store.readPendingAfter({ shards, after, limit: pageRows }));
    if (rows.length === pageRows) pass.after = rows.at(-1)!;
    else if (claimed) this.#claimed.shift();
    else this.#all = undefined;
    return true;
  }

  /**
   * Looks back by the overlap from the last such read on, however long ago that was: what has been committed since is found. What
   * lies too far back for one turn is left to reading everything.
   */
  async #readNew(shards: number[], nowMs: number): Promise<void> {
    const looksFar = this.#turn++ % longEveryReads === 0;
    const lastAtMs = (looksFar ? this.#allNewAtMs : this.#newAtMs) ?? nowMs;
    const wantedMs = (looksFar ? longOverlapMs : shortOverlapMs) + Math.ceil(nowMs - lastAtMs);
    const ageMs = Math.min(wantedMs, lookBackMaxMs);
    const tooFar = ageMs < wantedMs;
    if (tooFar) this.#readAllNow = true;
    let rows = await this.#read((store) => store.readRecentPending({ shards, ageMs, limit: pageRows }));
    while (rows.length === pageRows) {
      const after = rows.at(-1)!;
      rows = await this.#read((store) => store.readPendingAfter({ shards, after, limit: pageRows }));
    }
    this.#newAtMs = nowMs;
    if (looksFar || tooFar) this.#allNewAtMs = nowMs;
  }

  /** From the first key that was missed on: those in memory are passed over. */
  async #refill(lane: Lane, shards: number[]): Promise<void> {
    const from = lane.missedFrom!;
    lane.missedFrom = undefined;
    try {
      for (let after = { chunkId: from, shard: -1 }; !lane.overflown; ) {
        const read = { shards, lane: lane.key, after, limit: pageRows };
        const rows = await this.#read((store) => store.readPendingOfLane(read));
        if (rows.length < pageRows) return;
        after = rows.at(-1)!;
      }
    } catch (error) {
      lane.miss(from);
      throw error;
    }
  }

  /** Of those that another process released nobody tells. */
  async #lookForReleased(nowMs: number): Promise<void> {
    if (nowMs - this.#releasedAtMs < releasedEveryMs) return;
    this.#releasedAtMs = nowMs;
    const released = await this.#settings.store.readReleasedBatches(releasedAgeMs);
    for (const batch of released) this.noteReleased(batch);
    this.#released = new Set(released);
  }

  /**
   * The chunks of released batches, a page of each in turn, and not all that waits: with 20,000,000 messages of others queued, reading
   * everything for each release made 200,000 cost 1.19 times as much to deliver.
   */
  async #readReleased(shards: number[]): Promise<void> {
    let rowsLeft = pagesPerTurn * pageRows;
    try {
      for (let reads = 0; reads < releasedPerTurn && rowsLeft > 0; reads++) {
        const [release] = this.#releases;
        if (release === undefined) return;
        const [batch, after] = release;
        let next: string | undefined;
        const rows = await this.#read(async (store) => {
          const page = await store.readPendingOfBatch({ shards, batch, after, limit: pageRows });
          next = page.next;
          return page.rows;
        });
        rowsLeft -= rows.length;
        this.#releases.delete(batch);
        if (next !== undefined) this.#releases.set(batch, next);
      }
    } catch (error) {
      // What cannot be read of one must not keep the others waiting.
      this.#readAllInstead();
      throw error;
    }
  }

  #readAllInstead(): void {
    this.#releases.clear();
    this.#readAllNow = true;
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
