import { randomUUID } from 'node:crypto';
import { bitmapOf } from '../../message/bitmap.ts';
import { type DecisionKind, decisionNumber, type InboxFilter } from '../../message/decision-request.ts';
import { chunkIdOf, parseId, shardOf } from '../../message/id.ts';
import { type State, stateNumber } from '../../message/state.ts';
import type { Database, Queryable } from '../database.ts';
import { withBatchEvent } from './batch-event.ts';
import type { BatchKey } from './hold-batch.ts';
import { reopenBatch } from './reopen-batch.ts';

const messageStatement = {
  name: 'request_of_message',
  text: `INSERT INTO inbox (shard, id, chunk_id, batch, kind, offsets, filter)
    VALUES ($1, $2, $3, $4, $5, $6, $7)`,
};

const openCancelStatement = {
  name: 'open_cancel_of_message',
  // A replay that was asked for since would undo it, and this one comes after that.
  text: `SELECT id FROM inbox WHERE shard = $1 AND chunk_id = $2 AND kind = $3 AND offsets = $4
    AND NOT EXISTS (SELECT FROM inbox WHERE shard = $1 AND chunk_id = $2 AND kind = $5) LIMIT 1`,
};

/**
 * Asks the owner of a message's shard for a decision on it. The answer is the request's id. While a message is on its
 * way to its provider, its cancellation stays open: another one is answered with the first, so that nobody fills
 * the inbox with them.
 */
export function requestOfMessage(
  database: Queryable,
  { messageId, ...request }: Omit<MessagesRequest, 'chunkId' | 'offsets'> & { messageId: string },
): Promise<string> {
  const chunkId = chunkIdOf(messageId);
  return requestOfMessages(database, { ...request, chunkId, offsets: [parseId(messageId).offset] });
}

export interface MessagesRequest {
  chunkId: string;
  batch: string | null;
  /** Messages of the chunk, and those of them that are meant. */
  count: number;
  offsets: readonly number[];
  kind: DecisionKind;
  filter: InboxFilter;
}

/** The same of several messages of one chunk. */
export async function requestOfMessages(database: Queryable, request: MessagesRequest): Promise<string> {
  const { chunkId, batch, count, kind, filter } = request;
  const shard = shardOf(chunkId);
  const offsets = bitmapOf(count, request.offsets);
  const number = decisionNumber(kind);
  if (kind === 'cancel') {
    const replay = decisionNumber('replay');
    const { rows } = await database.query<{ id: string }>(openCancelStatement, [
      ...[shard, chunkId, number, offsets, replay],
    ]);
    if (rows[0]) return rows[0].id;
  }
  const id = randomUUID();
  await database.query(messageStatement, [
    ...[shard, id, chunkId, batch, number, offsets, JSON.stringify(filter)],
  ]);
  return id;
}

const chunksStatement = {
  name: 'request_of_batch',
  // One request for each chunk in which some message once had such a state; the owner looks at what it has now.
  // The condition on 3 and 4 is that of the partial index.
  text: `INSERT INTO inbox (shard, id, chunk_id, batch, kind, filter)
    SELECT shard, gen_random_uuid(), chunk_id, $1::uuid, $2::smallint, $3::jsonb FROM outcome
    WHERE batch = $1 AND state = ANY($4::smallint[]) AND state NOT IN (3, 4)
    GROUP BY shard, chunk_id`,
};

export interface BatchRequest extends BatchKey {
  kind: 'replay' | 'resolve';
  /** The states that are meant. */
  states: readonly State[];
  filter: InboxFilter;
}

/**
 * Asks the owners of a batch's shards for a decision on its messages in some states. The batch is not done until
 * all have answered. False for a batch that is still being canceled, or is not there: nothing is asked then.
 */
export function requestOfBatch(database: Database, request: BatchRequest): Promise<boolean> {
  const { batch, accountId, kind, states, filter } = request;
  return database.transaction(async (transaction) => {
    if (kind === 'resolve') await resettleBatch(transaction, { batch, accountId });
    else if (!(await reopenBatch(transaction, request))) return false;
    const numbers = states.map((state) => stateNumber[state]);
    await transaction.query(chunksStatement, [batch, decisionNumber(kind), JSON.stringify(filter), numbers]);
    return true;
  });
}

const resettleStatement = {
  name: 'resettle_batch',
  text: withBatchEvent({
    set: 'done_at = NULL, counts = NULL, reopened = reopened + 1',
    where: 'account_id = $3',
  }),
};

/** The batch counts anew what it has come to, once its messages are settled that are asked about in this transaction. */
export async function resettleBatch(database: Queryable, { batch, accountId }: BatchKey): Promise<void> {
  await database.query(resettleStatement, [shardOf(batch), batch, accountId]);
}

const openStatement = {
  name: 'count_open_requests',
  text: `SELECT count(*)::int AS open FROM inbox
    WHERE ($1::smallint IS NULL OR shard = $1) AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR batch = $3)`,
};

/** Requests that no owner has answered yet: of a batch, or the one with an id on its shard. */
export async function countOpenRequests(
  database: Queryable,
  of: { batch: string } | { shard: number; id: string },
): Promise<number> {
  const values = 'batch' in of ? [null, null, of.batch] : [of.shard, of.id, null];
  const { rows } = await database.query<{ open: number }>(openStatement, values);
  return rows[0]!.open;
}
