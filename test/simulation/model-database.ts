import type { HeldAs } from '../../src/delivery/decisions/held-batches.ts';
import type { MessageDefaults } from '../../src/message/fields.ts';
import type { TemplateVersion } from '../../src/message/templates/compile-template.ts';
import type { BatchCounts } from '../../src/store/batch-counts.ts';
import type { ChunkKeyRow, ChunkRow } from '../../src/store/delivery/load-chunks.ts';
import type { PaceGrant, PaceReport } from '../../src/store/delivery/pace-grants.ts';
import type { InboxRow } from '../../src/store/delivery/read-inbox.ts';
import type { ReceiptRow } from '../../src/store/delivery/read-receipts.ts';
import type { RecentSuppression, SuppressionListRow } from '../../src/store/delivery/read-suppressions.ts';
import type { OutcomeInsert } from '../../src/store/delivery/record-outcomes.ts';
import type { RecountMark } from '../../src/store/delivery/recount-batches.ts';
import { type LockHolder, ModelLocks } from './model-locks.ts';

/** The row of an outcome, with the epoch by which it was written, which `seq` holds. */
export interface StoredOutcome
  extends Pick<OutcomeInsert, 'chunkId' | 'state' | 'attempt' | 'offsets' | 'errorCode'> {
  order: bigint;
  shard: number;
  epoch: number;
  atMs: number;
  dueAtMs: number | null;
}

export interface StoredChunk extends ChunkRow, Omit<ChunkKeyRow, 'ordered' | 'awaitsClosing'> {}

export interface StoredPending {
  chunkId: string;
  shard: number;
  accountId: number;
  routeId: number;
  priority: number;
  count: number;
  batch: string | null;
  remaining: Uint8Array | null;
  /** By the database's clock; Infinity while it waits to be released. */
  dueAtMs: number;
  /** Its place among the chunks with ordering keys, and their hashes; null and absent without keys. */
  ordered: number | null;
  ordering?: Uint8Array;
  /** The fingerprint of a window; absent in what intake stored. */
  putOffBy?: number | null;
}

export interface StoredBatch {
  id: string;
  shard: number;
  defaults: MessageDefaults;
  closed: boolean;
  releasedAtMs: number | undefined;
  held: HeldAs | undefined;
  doneCounts: BatchCounts | undefined;
  /** How often decisions were asked for of it. */
  reopened: number;
}

/** A request in the inbox, as the table has it. */
export interface StoredRequest extends InboxRow {
  batch: string | null;
}

/** A change that becomes visible when its transaction commits. */
export interface Write {
  apply(): void;
  outcome?: StoredOutcome;
  request?: StoredRequest;
  /** A batch is paused or canceled, or goes on. */
  hold?: { batch: string; as: HeldAs | undefined };
}

/** A transaction on the server. */
export interface Session extends LockHolder {
  readonly name: string;
  writes: Write[];
  ended: boolean;
  /** The server has been told to commit, and will, whatever becomes of the connection. */
  committing: boolean;
}

/** Accepted lines, beside the states of messages, in the counters of a batch. */
export const acceptedCounter = 100;

/**
 * The tables of delivery, as far as one transaction can tell: what it writes is seen by others when it commits, and the
 * rows that it locks are locked until then. A statement is one step; what it reads is what is committed by then.
 */
export class ModelDatabase {
  readonly locks = new ModelLocks();
  /** By shard. Changed by claims and releases alone. */
  readonly owners: { worker: string | null; epoch: number }[];
  readonly workers = new Map<string, { beat: number; leaving: boolean; suppressionLists: number }>();
  /** By worker. */
  readonly paceGrants = new Map<string, PaceGrant>();
  readonly paceReports = new Map<string, PaceReport & { seq: number }>();
  paceRound = 0;
  readonly chunks = new Map<string, StoredChunk>();
  /** By shard, the last place that a chunk with ordering keys took: `shard_order`. */
  readonly places = new Map<number, number>();
  /** By chunk id; `pendingIds` holds them in order. */
  readonly pending = new Map<string, StoredPending>();
  readonly pendingIds: string[] = [];
  /** By chunk id, in order of seq. */
  readonly outcomes = new Map<string, StoredOutcome[]>();
  readonly batches = new Map<string, StoredBatch>();
  readonly templateVersions: TemplateVersion[] = [];
  readonly suppressionLists: SuppressionListRow[] = [];
  /** With the versions of their lists. */
  readonly suppressions: (RecentSuppression & { version: number })[] = [];
  /** Requests to the owners of shards, by id and in the order in which they came. */
  readonly inbox = new Map<string, StoredRequest>();
  /** What was matched for the owners of shards, by id. */
  readonly receipts = new Map<string, ReceiptRow>();
  /** How often receipts changed a batch on a shard, by both. */
  readonly recounts = new Map<string, RecountMark>();
  /** By batch, then by state, summed over shards. */
  readonly progress = new Map<string, Map<number, number>>();
  /** Sees each transaction's changes before they are made. */
  onCommit: (session: Session) => void = () => {};
  readonly #sessions = new Set<Session>();

  constructor({ shards }: { shards: number }) {
    this.owners = Array.from({ length: shards }, () => ({ worker: null, epoch: 0 }));
  }

  begin(name: string): Session {
    const session: Session = { name, writes: [], ended: false, committing: false, held: new Set() };
    this.#sessions.add(session);
    return session;
  }

  commit(session: Session): void {
    if (session.ended) throw new Error(`${session.name} commits what has ended`);
    if (session.writes.length > 0) this.onCommit(session);
    for (const write of session.writes) write.apply();
    this.#end(session);
  }

  /** Rolls a transaction back, unless it is being committed. */
  abort(session: Session): void {
    if (!session.ended && !session.committing) this.#end(session);
  }

  /** The server crashes: of the transactions that were being committed, some had come as far as the log. */
  crash(isInLog: () => boolean): void {
    for (const session of [...this.#sessions]) {
      if (session.committing && isInLog()) this.commit(session);
      else this.#end(session);
    }
  }

  isRecorded(chunkId: string, order: bigint): boolean {
    return this.outcomes.get(chunkId)?.some((row) => row.order === order) ?? false;
  }

  insertPending(row: StoredPending): void {
    this.pending.set(row.chunkId, row);
    this.pendingIds.splice(this.#placeOf(row.chunkId), 0, row.chunkId);
  }

  deletePending(chunkId: string): void {
    if (this.pending.delete(chunkId)) this.pendingIds.splice(this.#placeOf(chunkId), 1);
  }

  insertOutcome(row: StoredOutcome): void {
    const rows = this.outcomes.get(row.chunkId);
    if (rows === undefined) {
      this.outcomes.set(row.chunkId, [row]);
      return;
    }
    let place = rows.length;
    while (place > 0 && rows[place - 1]!.order > row.order) place--;
    rows.splice(place, 0, row);
  }

  raise(batch: string, state: number, delta: number): void {
    let counters = this.progress.get(batch);
    if (counters === undefined) {
      counters = new Map();
      this.progress.set(batch, counters);
    }
    counters.set(state, (counters.get(state) ?? 0) + delta);
  }

  /** Rows of some shards whose (chunk id, shard) lies behind a key, in that order. */
  pendingAfter(read: {
    shards: readonly number[];
    after: { chunkId: string; shard: number };
    limit: number;
    isWanted?: (row: StoredPending) => boolean;
  }): StoredPending[] {
    const { after, limit, isWanted = () => true } = read;
    const wanted = new Set(read.shards);
    const rows: StoredPending[] = [];
    for (let place = this.#placeOf(after.chunkId); place < this.pendingIds.length; place++) {
      const row = this.pending.get(this.pendingIds[place]!)!;
      const behind = row.chunkId > after.chunkId || row.shard > after.shard;
      if (!behind || !wanted.has(row.shard) || !isWanted(row)) continue;
      if (rows.push(row) >= limit) break;
    }
    return rows;
  }

  #end(session: Session): void {
    this.#sessions.delete(session);
    this.locks.release(session);
  }

  /** Where an id is in `pendingIds`, or would be. */
  #placeOf(chunkId: string): number {
    let low = 0;
    let high = this.pendingIds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pendingIds[middle]! < chunkId) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** UPDATE batch: a change of its row waits for the one before. */
export function lockBatch(database: ModelDatabase, session: Session, id: string, granted: () => void): void {
  database.locks.lock(session, { key: `batch ${id}`, mode: 'exclusive', granted });
}

/** The transaction makes this change if it commits. */
export function write(session: Session, apply: () => void): void {
  session.writes.push({ apply });
}
