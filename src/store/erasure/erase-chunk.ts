import { randomUUID } from 'node:crypto';
import { bitmapOf } from '../../message/bitmap.ts';
import { decisionNumber } from '../../message/decision-request.ts';
import { type ErasedChunk, eraseFromChunk } from '../../message/erase-from-chunk.ts';
import { shardOf } from '../../message/id.ts';
import type { Database, Queryable } from '../database.ts';
import { type ErasedMessages, scrubOutcomes } from './scrub-outcomes.ts';

export interface ChunkErasure {
  accountId: number;
  chunkId: string;
  /** The recipient. */
  to: string;
}

const lockStatement = {
  name: 'lock_chunk_to_erase',
  text: `SELECT count, codec, payload, batch FROM chunk WHERE shard = $1 AND id = $2 AND account_id = $3 FOR UPDATE`,
};

const rewriteStatement = {
  name: 'rewrite_chunk',
  text: 'UPDATE chunk SET codec = $3, payload = $4 WHERE shard = $1 AND id = $2',
};

const rewriteSingleStatement = {
  name: 'rewrite_single_chunk',
  text: `UPDATE chunk SET codec = $3, payload = $4, to_hash = NULL, ref_hash = NULL WHERE shard = $1 AND id = $2`,
};

const filterStatement = {
  name: 'rewrite_filter',
  text: `UPDATE chunk_filter SET to_bits = $4, ref_bits = $5
    WHERE account_id = $1 AND chunk_id = $2 AND shard = $3`,
};

const keysStatement = {
  name: 'delete_message_keys',
  text: `DELETE FROM message_key
    WHERE account_id = $1 AND chunk_id = $2 AND shard = $3 AND hash = ANY ($4::bigint[])`,
};

const requestStatement = {
  name: 'request_erasure',
  text: 'INSERT INTO inbox (shard, id, chunk_id, batch, kind, offsets) VALUES ($1, $2, $3, $4, $5, $6)',
};

/**
 * Rewrites a chunk in place without one recipient, with what it is found by and what is recorded of it, and asks the
 * owner of its shard, who may have the text in memory, not to send it: all in one transaction on one shard, so
 * that no text is gone without the request or the other way round. Answers what it erased; undefined when
 * the chunk holds nothing of the recipient.
 */
export function eraseChunk(
  database: Database,
  { accountId, chunkId, to }: ChunkErasure,
): Promise<ErasedMessages | undefined> {
  const shard = shardOf(chunkId);
  return database.transaction(async (transaction) => {
    const { rows } = await transaction.query<{
      count: number;
      codec: number;
      payload: Buffer;
      batch: string | null;
    }>(lockStatement, [shard, chunkId, accountId]);
    const [chunk] = rows;
    const erased =
      chunk &&
      eraseFromChunk({ codec: chunk.codec, payload: new Uint8Array(chunk.payload) }, { accountId, to });
    if (!erased) return undefined;
    await rewrite(transaction, { shard, accountId, chunkId, erased });
    const offsets = bitmapOf(chunk.count, erased.offsets);
    const messages = { chunkId, offsets, count: chunk.count };
    await scrubOutcomes(transaction, { shard, erased: messages, quoting: to });
    const asked = [shard, randomUUID(), chunkId, chunk.batch, decisionNumber('erase'), offsets];
    await transaction.query(requestStatement, asked);
    return messages;
  });
}

/** Once more, for what was recorded of the chunk between its rewriting and the owner's answer. */
export function scrubLate(
  database: Database,
  { erased, to }: { erased: ErasedMessages; to: string },
): Promise<void> {
  const shard = shardOf(erased.chunkId);
  return database.transaction((transaction) => scrubOutcomes(transaction, { shard, erased, quoting: to }));
}

async function rewrite(
  transaction: Queryable,
  at: { shard: number; accountId: number; chunkId: string; erased: ErasedChunk },
): Promise<void> {
  const { shard, accountId, chunkId, erased } = at;
  const { codec, payload, lookup } = erased;
  const statement = lookup.kind === 'single' ? rewriteSingleStatement : rewriteStatement;
  await transaction.query(statement, [shard, chunkId, codec, payload]);
  if (lookup.kind === 'filter') {
    await transaction.query(filterStatement, [accountId, chunkId, shard, lookup.toBits, lookup.refBits]);
  } else if (lookup.kind === 'keys' && lookup.gone.length > 0) {
    await transaction.query(keysStatement, [accountId, chunkId, shard, lookup.gone]);
  }
}

const openStatement = {
  name: 'count_open_erasures',
  text: `SELECT count(*)::int AS open FROM inbox i JOIN chunk c ON c.shard = i.shard AND c.id = i.chunk_id
    WHERE i.kind = $1 AND c.account_id = $2`,
};

/** Erasures of an account that some owner has not answered yet: something may be on its way to a provider still. */
export async function countOpenErasures(database: Queryable, accountId: number): Promise<number> {
  const values = [decisionNumber('erase'), accountId];
  return (await database.query<{ open: number }>(openStatement, values)).rows[0]!.open;
}
