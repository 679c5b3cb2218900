import type { MessageDefaults } from '../message/fields.ts';
import type { TemplateVersion } from '../message/templates/compile-template.ts';
import type { ShardEpoch } from '../store/delivery/claim-shards.ts';
import type { FinishedBatch } from '../store/delivery/finish-batches.ts';
import type {
  ChunkKeyRow,
  ChunkOutcomeRow,
  ChunkRow,
  TaggedChunkRow,
} from '../store/delivery/load-chunks.ts';
import type { PaceDecision, PaceGrant, PaceReport, PaceState } from '../store/delivery/pace-grants.ts';
import type { HeldBatch } from '../store/delivery/read-held-batches.ts';
import type { InboxRead, InboxRow } from '../store/delivery/read-inbox.ts';
import type { Owners } from '../store/delivery/read-owners.ts';
import type { OrderedRow, PendingKey, PendingRow } from '../store/delivery/read-pending.ts';
import type { ReceiptRead, ReceiptRow } from '../store/delivery/read-receipts.ts';
import type {
  RecentSuppression,
  RecentSuppressions,
  SuppressionListRow,
} from '../store/delivery/read-suppressions.ts';
import type { OutcomeFlush } from '../store/delivery/record-outcomes.ts';
import type { RecountMark } from '../store/delivery/recount-batches.ts';

/** What ownership asks of the database. */
export interface OwnershipStore {
  registerWorker(worker: { id: string; host: string; pid: number }): Promise<void>;
  /** The database's time, or undefined when the worker's row is gone. */
  beatWorker(workerId: string): Promise<number | undefined>;
  leaveWorker(workerId: string): Promise<void>;
  removeWorker(workerId: string): Promise<void>;
  removeSilentWorker(worker: { id: string; beat: string }): Promise<boolean>;
  readOwners(): Promise<Owners>;
  readFreeShards(removedWorkers: string[]): Promise<ShardEpoch[]>;
  /** `undefined`: one of them stayed locked for `lockMs`; none was claimed. */
  claimShards(claim: {
    workerId: string;
    free: ShardEpoch[];
    lockMs: number;
  }): Promise<ShardEpoch[] | undefined>;
  /** False: one of them stayed locked for `lockMs`; none was released. */
  releaseShards(release: { workerId: string; shards: ShardEpoch[]; lockMs: number }): Promise<boolean>;
  readOwnedShards(workerId: string): Promise<ShardEpoch[]>;
}

/** What divides rates and connections. */
export interface PaceStore {
  readPaceGrant(workerId: string): Promise<PaceGrant | undefined>;
  /** Unless a report of a higher `seq` is there. */
  reportPace(report: PaceReport & { workerId: string; seq: number }): Promise<void>;
  /** The round first, and grants before workers: one whose worker is missing is that of one that has been removed. */
  readPace(): Promise<PaceState>;
  /** `false`: another worker owns shard 0, or the round has passed; nothing was written. */
  grantPace(decision: PaceDecision): Promise<boolean>;
}

/** What finds work. */
export interface PendingStore {
  readRecentPending(read: { shards: number[]; ageMs: number; limit: number }): Promise<PendingRow[]>;
  readPendingAfter(read: { shards: number[]; after: PendingKey; limit: number }): Promise<PendingRow[]>;
  readPendingOfLane(read: {
    shards: number[];
    lane: { accountId: number; routeId: number; priority: number };
    after: PendingKey;
    limit: number;
  }): Promise<PendingRow[]>;
  readPendingOfBatch(read: {
    shards: number[];
    batch: string;
    after: string | undefined;
    limit: number;
  }): Promise<{ rows: PendingRow[]; next: string | undefined }>;
  readReleasedBatches(ageMs: number): Promise<string[]>;
}

/** What finds the chunks whose messages have ordering keys. */
export interface OrderedStore {
  readOrderedPending(read: {
    shard: number;
    accountId: number;
    after: number;
    limit: number;
  }): Promise<OrderedRow[]>;
}

/** What fetches the messages of chunks. */
export interface ChunkStore {
  loadChunks(keys: { ids: string[] }): Promise<ChunkRow[]>;
  loadOutcomes(keys: { ids: string[] }): Promise<ChunkOutcomeRow[]>;
  /** Those of them whose messages name tags of their own. */
  loadTaggedChunks(keys: { ids: string[] }): Promise<TaggedChunkRow[]>;
  loadBatchDefaults(keys: { ids: string[] }): Promise<{ id: string; defaults: MessageDefaults }[]>;
  /** Those of them that there are. */
  loadTemplateVersions(keys: { ids: readonly number[] }): Promise<TemplateVersion[]>;
}

/** What finds the recipients that get nothing. */
export interface SuppressionStore {
  readSuppressionLists(): Promise<SuppressionListRow[]>;
  /** `suppressionDigest` of what `readSuppressionLists` would answer. */
  readSuppressionDigest(): Promise<string>;
  readRecentSuppressions(read: RecentSuppressions): Promise<RecentSuppression[]>;
  /** Those of them that are suppressed. */
  findSuppressed(keys: { hashes: readonly string[] }): Promise<string[]>;
  /** False: there are more lists than the worker knows of, or it is not registered. */
  knowSuppressionLists(known: { workerId: string; lists: number }): Promise<boolean>;
}

/** What is asked of the owner of a shard. */
export interface DecisionStore {
  readInbox(read: InboxRead): Promise<InboxRow[]>;
  loadChunkKeys(keys: { ids: string[] }): Promise<ChunkKeyRow[]>;
}

/** What providers told later, for the owner of a shard. */
export interface ReceiptStore {
  /** In order of place. */
  readReceipts(read: ReceiptRead): Promise<ReceiptRow[]>;
  loadChunkKeys(keys: { ids: string[] }): Promise<ChunkKeyRow[]>;
}

export interface BatchHoldStore {
  readHeldBatches(): Promise<HeldBatch[]>;
  /** `heldDigest` of what `readHeldBatches` would answer. */
  readHeldDigest(): Promise<string>;
}

/** What keeps outcomes. `false`: another worker owns the shard, nothing was written. */
export interface OutcomeStore {
  recordOutcomes(flush: OutcomeFlush): Promise<boolean>;
}

export interface BatchStore {
  listClosedBatches(page: { shards: number[]; after: string; limit: number }): Promise<string[]>;
  readFinishedBatch(id: string): Promise<FinishedBatch | undefined>;
  finishBatch(batch: FinishedBatch): Promise<void>;
}

/** What lets the counts of a batch follow receipts that come when it is done. */
export interface RecountStore {
  /** All marks of the next batches behind `after`, in order of batch. */
  readRecountMarks(page: { shards: number[]; after: string; limit: number }): Promise<RecountMark[]>;
  recountBatch(recount: { batch: string; marks: readonly RecountMark[] }): Promise<void>;
}

export type DeliveryStore = OwnershipStore &
  PaceStore &
  PendingStore &
  OrderedStore &
  ChunkStore &
  SuppressionStore &
  DecisionStore &
  ReceiptStore &
  BatchHoldStore &
  OutcomeStore &
  BatchStore &
  RecountStore;
