import { loadTemplateVersions } from '../control/templates.ts';
import type { Database } from '../database.ts';
import { beatWorker } from './beat-worker.ts';
import { claimShardsWithin, readFreeShards, readOwnedShards, releaseShards } from './claim-shards.ts';
import { finishBatch, listClosedBatches, readFinishedBatch } from './finish-batches.ts';
import { leaveWorker } from './leave-worker.ts';
import {
  loadBatchDefaults,
  loadChunkKeys,
  loadChunks,
  loadOutcomes,
  loadTaggedChunks,
} from './load-chunks.ts';
import { grantPace, readPace, readPaceGrant, reportPace } from './pace-grants.ts';
import { readHeldBatches, readHeldDigest } from './read-held-batches.ts';
import { readInbox } from './read-inbox.ts';
import { readOwners } from './read-owners.ts';
import {
  readOrderedPending,
  readPendingAfter,
  readPendingOfBatch,
  readPendingOfLane,
  readRecentPending,
} from './read-pending.ts';
import { readReceipts } from './read-receipts.ts';
import { readReleasedBatches } from './read-released-batches.ts';
import {
  findSuppressed,
  knowSuppressionLists,
  readRecentSuppressions,
  readSuppressionDigest,
  readSuppressionLists,
} from './read-suppressions.ts';
import { recordOutcomes } from './record-outcomes.ts';
import { readRecountMarks, recountBatch } from './recount-batches.ts';
import { registerWorker } from './register-worker.ts';
import { removeSilentWorker, removeWorker } from './remove-worker.ts';

/** Every statement of delivery, bound to one database. Delivery declares for itself which of them it sees. */
export function deliveryStatements(database: Database) {
  return {
    registerWorker: bind(database, registerWorker),
    beatWorker: bind(database, beatWorker),
    leaveWorker: bind(database, leaveWorker),
    removeWorker: bind(database, removeWorker),
    removeSilentWorker: bind(database, removeSilentWorker),
    readOwners: () => readOwners(database),
    readFreeShards: bind(database, readFreeShards),
    claimShards: bind(database, claimShardsWithin),
    releaseShards: bind(database, releaseShards),
    readOwnedShards: bind(database, readOwnedShards),
    readPaceGrant: bind(database, readPaceGrant),
    reportPace: bind(database, reportPace),
    readPace: () => readPace(database),
    grantPace: bind(database, grantPace),
    readRecentPending: bind(database, readRecentPending),
    readPendingAfter: bind(database, readPendingAfter),
    readPendingOfLane: bind(database, readPendingOfLane),
    readPendingOfBatch: bind(database, readPendingOfBatch),
    readOrderedPending: bind(database, readOrderedPending),
    readReleasedBatches: bind(database, readReleasedBatches),
    loadChunks: bind(database, loadChunks),
    loadChunkKeys: bind(database, loadChunkKeys),
    loadOutcomes: bind(database, loadOutcomes),
    loadTaggedChunks: bind(database, loadTaggedChunks),
    loadBatchDefaults: bind(database, loadBatchDefaults),
    loadTemplateVersions: bind(database, loadTemplateVersions),
    readSuppressionDigest: () => readSuppressionDigest(database),
    readSuppressionLists: () => readSuppressionLists(database),
    readRecentSuppressions: bind(database, readRecentSuppressions),
    findSuppressed: bind(database, findSuppressed),
    knowSuppressionLists: bind(database, knowSuppressionLists),
    readInbox: bind(database, readInbox),
    readReceipts: bind(database, readReceipts),
    readHeldBatches: () => readHeldBatches(database),
    readHeldDigest: () => readHeldDigest(database),
    recordOutcomes: bind(database, recordOutcomes),
    listClosedBatches: bind(database, listClosedBatches),
    readFinishedBatch: bind(database, readFinishedBatch),
    finishBatch: bind(database, finishBatch),
    readRecountMarks: bind(database, readRecountMarks),
    recountBatch: bind(database, recountBatch),
  };
}

function bind<Argument, Result>(
  database: Database,
  statement: (database: Database, argument: Argument) => Promise<Result>,
): (argument: Argument) => Promise<Result> {
  return (argument) => statement(database, argument);
}
