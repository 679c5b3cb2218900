import { encodeChunk } from '../../message/chunk-codec.ts';
import { shardOf } from '../../message/id.ts';
import { limits } from '../../message/limits.ts';
import { lookupHash } from '../../message/lookup-hash.ts';
import { disabledEventType, type Webhook } from '../../message/webhook.ts';
import type { Queryable } from '../../store/database.ts';
import type { IdMint } from '../../store/id-mint.ts';
import { insertChunks } from '../../store/intake/insert-chunks.ts';

export interface DisabledNotice {
  webhook: Webhook;
  /** Meant to be read. */
  reason: string;
  /** The account's other endpoints that are called. */
  others: readonly Webhook[];
}

/** Stores a message to each other endpoint of the account that wants to know: one of them is not called any more. */
export async function storeDisabledNotice(
  transaction: Queryable,
  { webhook, reason, others }: DisabledNotice,
  { mint, routeId, now }: { mint: IdMint; routeId: number; now: Date },
): Promise<void> {
  const { id, accountId, name, url } = webhook;
  const told = others.filter(({ events }) => events.includes(disabledEventType));
  if (told.length === 0) return;
  const timestamp = now.toISOString();
  const payload = {
    type: disabledEventType,
    id: `${id}.${now.getTime()}`,
    timestamp,
    data: { webhookId: id, name, url, reason, disabledAt: timestamp },
  };
  const lines = told.map((endpoint) => JSON.stringify({ to: endpoint.name, payload }));
  const chunkId = mint.mint(Math.floor(Math.random() * limits.shards));
  const chunk = {
    id: chunkId,
    accountId,
    routeId,
    priority: 1,
    count: lines.length,
    ...encodeChunk(Buffer.from(lines.join('\n'))),
    timed: false,
    dueAt: null,
    lookup: { hashes: told.map((endpoint) => lookupHash('to', accountId, endpoint.name)) },
  };
  await insertChunks(transaction, { shard: shardOf(chunkId), batch: null, chunks: [chunk] });
}
