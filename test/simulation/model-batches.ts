import type { BatchHoldStore, BatchStore, RecountStore } from '../../src/delivery/delivery-store.ts';
import { stateNumber } from '../../src/message/state.ts';
import { batchCounts } from '../../src/store/batch-counts.ts';
import type { FinishedBatch } from '../../src/store/delivery/finish-batches.ts';
import { type HeldBatch, heldDigest } from '../../src/store/delivery/read-held-batches.ts';
import type { RecountMark } from '../../src/store/delivery/recount-batches.ts';
import type { ModelClient, Reply } from './model-client.ts';
import { acceptedCounter, lockBatch, write } from './model-database.ts';

/** What is asked of batches as a whole, on the model. */
export function modelBatches(client: ModelClient): BatchStore & BatchHoldStore & RecountStore {
  const { database } = client.server;
  const heldBatches = () =>
    [...database.batches.values()]
      .filter(({ held, doneCounts }) => held && !doneCounts)
      .map(({ id, held }) => ({ id, canceled: held === 'canceled' }));
  return {
    readHeldBatches: () =>
      client.query('read_held_batches', (_, reply: Reply<HeldBatch[]>) => reply(heldBatches())),

    readHeldDigest: () =>
      client.query('read_held_digest', (_, reply: Reply<string>) => reply(heldDigest(heldBatches()))),

    listClosedBatches: ({ shards, after, limit }: { shards: number[]; after: string; limit: number }) =>
      client.query('list_closed_batches', (_, reply: Reply<string[]>) => {
        const closed = [...database.batches.values()].filter(
          (batch) => batch.closed && !batch.doneCounts && shards.includes(batch.shard) && batch.id > after,
        );
        const ids = closed.map(({ id }) => id).sort();
        reply(ids.slice(0, limit));
      }),

    async readFinishedBatch(id: string): Promise<FinishedBatch | undefined> {
      const reopened = await client.query('batch_is_closed_undone', (_, reply: Reply<number | undefined>) => {
        const batch = database.batches.get(id);
        reply(batch?.closed && !batch.doneCounts ? batch.reopened : undefined);
      });
      if (reopened === undefined) return undefined;
      const isOpen = await client.query('find_open_shard', (_, reply: Reply<boolean>) => {
        const counters = [...(database.progress.get(id) ?? [])];
        const final = counters.filter(([state]) => state >= stateNumber.sent && state < acceptedCounter);
        const accepted = database.progress.get(id)?.get(acceptedCounter) ?? 0;
        reply(accepted > final.reduce((sum, [, count]) => sum + count, 0));
      });
      if (isOpen) return undefined;
      const isAsked = await client.query('find_decision_of_batch', (_, reply: Reply<boolean>) => {
        reply([...database.inbox.values()].some(({ batch }) => batch === id));
      });
      if (isAsked) return undefined;
      return client.query('count_batch', (_, reply: Reply<FinishedBatch | undefined>) => {
        const counts = batchCounts(Object.fromEntries(database.progress.get(id) ?? []));
        const unfinished = counts.queued + counts.sending + counts.retrying;
        reply(unfinished === 0 ? { id, counts, reopened } : undefined);
      });
    },

    finishBatch: ({ id, counts, reopened }: FinishedBatch) =>
      client.query<void>('finish_batch', (session, reply) => {
        lockBatch(database, session, id, () => {
          const batch = database.batches.get(id);
          if (batch !== undefined && batch.doneCounts === undefined && batch.reopened === reopened) {
            write(session, () => {
              batch.doneCounts = counts;
            });
          }
          reply();
        });
      }),

    readRecountMarks: ({ shards, after, limit }: Parameters<RecountStore['readRecountMarks']>[0]) =>
      client.query('read_recount_marks', (_, reply: Reply<RecountMark[]>) => {
        const marks = [...database.recounts.values()].filter(
          ({ batch, shard }) => shards.includes(shard) && batch > after,
        );
        const batches = [...new Set(marks.map(({ batch }) => batch))].sort().slice(0, limit);
        reply(batches.flatMap((batch) => marks.filter((mark) => mark.batch === batch)));
      }),

    recountBatch: ({ batch: id, marks }: Parameters<RecountStore['recountBatch']>[0]) =>
      client.query<void>('recount_batch', (session, reply) => {
        lockBatch(database, session, id, () => {
          const batch = database.batches.get(id);
          if (batch === undefined || batch.doneCounts !== undefined) {
            const counts = batchCounts(Object.fromEntries(database.progress.get(id) ?? []));
            write(session, () => {
              if (batch) batch.doneCounts = counts;
              for (const { shard, changes } of marks) {
                const key = `${id} ${shard}`;
                if (database.recounts.get(key)?.changes === changes) database.recounts.delete(key);
              }
            });
          }
          reply();
        });
      }),
  };
}
