import type { DeliveryStore } from '../../src/delivery/delivery-store.ts';
import { lowestIdAt } from '../../src/message/id.ts';
import type { TemplateVersion } from '../../src/message/templates/compile-template.ts';
import type {
  ChunkKeyRow,
  ChunkOutcomeRow,
  ChunkRow,
  TaggedChunkRow,
} from '../../src/store/delivery/load-chunks.ts';
import type { InboxPlace, InboxRead, InboxRow } from '../../src/store/delivery/read-inbox.ts';
import type { OrderedRow, PendingRow } from '../../src/store/delivery/read-pending.ts';
import type { ReceiptRead, ReceiptRow } from '../../src/store/delivery/read-receipts.ts';
import type { ModelClient, Reply } from './model-client.ts';
import type { StoredOutcome, StoredPending } from './model-database.ts';
import type { StoreFaults } from './model-store.ts';

/** What finds work and fetches it, on the model. */
export function modelReads(client: ModelClient, faults: StoreFaults) {
  const { server } = client;
  const { database } = server;
  const rowOf = (row: StoredPending): PendingRow => ({
    chunkId: row.chunkId,
    shard: row.shard,
    accountId: row.accountId,
    routeId: row.routeId,
    priority: row.priority,
    count: row.count,
    batch: row.batch,
    remaining: row.remaining,
    dueInMs: row.dueAtMs - server.nowMs,
    ordered: row.ordered,
    putOffBy: row.putOffBy ?? null,
  });
  let seen = '';
  return {
    readRecentPending: (read: { shards: number[]; ageMs: number; limit: number }) =>
      client.query('read_recent_pending', (_, reply: Reply<PendingRow[]>) => {
        const lowest = lowestIdAt(server.nowMs - read.ageMs);
        const after = { chunkId: faults.withoutOverlap && seen > lowest ? seen : lowest, shard: -1 };
        const rows = database.pendingAfter({ ...read, after });
        if (faults.withoutOverlap) seen = rows.at(-1)?.chunkId ?? seen;
        reply(rows.map(rowOf));
      }),

    readPendingAfter: (read: {
      shards: number[];
      after: { chunkId: string; shard: number };
      limit: number;
    }) =>
      client.query('read_pending_after', (_, reply: Reply<PendingRow[]>) => {
        reply(database.pendingAfter(read).map(rowOf));
      }),

    readPendingOfLane: ({ lane, ...read }: Parameters<DeliveryStore['readPendingOfLane']>[0]) =>
      client.query('read_pending_of_lane', (_, reply: Reply<PendingRow[]>) => {
        const isWanted = (row: StoredPending) =>
          row.accountId === lane.accountId && row.routeId === lane.routeId && row.priority === lane.priority;
        reply(database.pendingAfter({ ...read, isWanted }).map(rowOf));
      }),

    readPendingOfBatch: ({ batch, after, ...read }: Parameters<DeliveryStore['readPendingOfBatch']>[0]) =>
      client.query(
        'read_pending_of_batch',
        (_, reply: Reply<{ rows: PendingRow[]; next: string | undefined }>) => {
          const ids = [...database.chunks.values()]
            .filter((chunk) => chunk.batch === batch && (after === undefined || chunk.id > after))
            .map(({ id }) => id)
            .sort()
            .slice(0, read.limit);
          const rows = ids.flatMap((id) => database.pending.get(id) ?? []);
          const next = ids.length < read.limit ? undefined : ids.at(-1);
          reply({ rows: rows.filter(({ shard }) => read.shards.includes(shard)).map(rowOf), next });
        },
      ),

    readOrderedPending: ({
      shard,
      accountId,
      after,
      limit,
    }: Parameters<DeliveryStore['readOrderedPending']>[0]) =>
      client.query('read_ordered_pending', (_, reply: Reply<OrderedRow[]>) => {
        const found = [...database.pending.values()].flatMap((row) => {
          const { ordered, ordering } = row;
          const wanted = row.shard === shard && row.accountId === accountId && (ordered ?? 0) > after;
          return wanted && ordered !== null && ordering ? [{ ...rowOf(row), ordered, ordering }] : [];
        });
        const { placesById } = faults;
        found.sort((a, b) => (placesById ? (a.chunkId < b.chunkId ? -1 : 1) : a.ordered - b.ordered));
        reply(found.slice(0, limit));
      }),

    readReleasedBatches: (ageMs: number) =>
      client.query('read_released_batches', (_, reply: Reply<string[]>) => {
        const sinceMs = server.nowMs - ageMs;
        const released = [...database.batches.values()].filter(
          ({ releasedAtMs = 0, doneCounts }) => doneCounts === undefined && releasedAtMs > sinceMs,
        );
        reply(released.map(({ id }) => id));
      }),

    loadChunks: ({ ids }: { ids: string[] }) =>
      client.query('load_chunks', (_, reply: Reply<ChunkRow[]>) => {
        const found = ids.flatMap((id) => database.chunks.get(id) ?? []);
        reply(
          found.map(({ id, codec, payload, timed, templates }) => ({ id, codec, payload, timed, templates })),
        );
      }),

    loadChunkKeys: ({ ids }: { ids: string[] }) =>
      client.query('load_chunk_keys', (_, reply: Reply<ChunkKeyRow[]>) => {
        const keys = ids.flatMap((id) => database.chunks.get(id) ?? []);
        reply(
          keys.map((key) => {
            const row = database.pending.get(key.id);
            const awaitsClosing = row?.dueAtMs === Number.POSITIVE_INFINITY;
            return { ...key, ordered: row?.ordered != null, awaitsClosing };
          }),
        );
      }),

    // No message of the model names tags.
    loadTaggedChunks: () =>
      client.query('load_tagged_chunks', (_, reply: Reply<TaggedChunkRow[]>) => reply([])),

    loadOutcomes: ({ ids }: { ids: string[] }) =>
      client.query('load_outcomes', (_, reply: Reply<ChunkOutcomeRow[]>) => {
        const sorted = [...ids].sort();
        reply(sorted.flatMap((id) => (database.outcomes.get(id) ?? []).map(outcomeRow)));
      }),

    readReceipts: ({ shards, after, limit }: ReceiptRead) =>
      client.query('read_matched_receipts', (_, reply: Reply<ReceiptRow[]>) => {
        const behind = (row: ReceiptRow) =>
          row.id > after.id || (row.id === after.id && row.shard > after.shard);
        const rows = [...database.receipts.values()].filter(
          (row) => shards.includes(row.shard) && behind(row),
        );
        reply(rows.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit));
      }),

    loadBatchDefaults: ({ ids }: { ids: string[] }) =>
      client.query('load_batch_defaults', (_, reply: Reply<{ id: string; defaults: object }[]>) => {
        const found = ids.flatMap((id) => database.batches.get(id) ?? []);
        reply(found.map(({ id, defaults }) => ({ id, defaults })));
      }),

    loadTemplateVersions: ({ ids }: { ids: readonly number[] }) =>
      client.query('load_template_versions', (_, reply: Reply<TemplateVersion[]>) => {
        reply(database.templateVersions.filter(({ id }) => ids.includes(id)));
      }),

    readInbox: ({ shards, of, after, limit }: InboxRead) =>
      client.query('read_inbox', (_, reply: Reply<InboxRow[]>) => {
        const all = [...database.inbox.values()].filter(({ shard }) => shards.includes(shard)).sort(byPlace);
        const ofMessages = new Set(all.filter(({ offsets }) => offsets).map(({ chunkId }) => chunkId));
        const asked = all.filter(({ chunkId }) => ofMessages.has(chunkId) === (of === 'messages'));
        reply(asked.filter((row) => after === undefined || byPlace(row, after) > 0).slice(0, limit));
      }),
  };
}

function byPlace(a: InboxPlace, b: InboxPlace): number {
  return Number(a.at) - Number(b.at) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function outcomeRow(stored: StoredOutcome): ChunkOutcomeRow {
  const { chunkId, atMs, dueAtMs, state, attempt, offsets, errorCode } = stored;
  const at = new Date(atMs);
  const dueAt = dueAtMs === null ? null : new Date(dueAtMs);
  return { chunkId, at, dueAt, state, attempt, offsets, errorCode, details: null, providerRefs: null };
}
