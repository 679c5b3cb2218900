import type { ShardEpoch } from '../../src/store/delivery/claim-shards.ts';
import type { ModelClient, Reply } from './model-client.ts';
import { type ModelDatabase, type Session, write } from './model-database.ts';

/** Leases and claims, on the model. */
export function modelOwnership(client: ModelClient) {
  const { server } = client;
  const { database } = server;
  const { owners, workers } = database;
  const epochOf = (shard: number) => ({ shard, epoch: owners[shard]!.epoch });
  return {
    registerWorker: ({ id }: { id: string }) =>
      client.query<void>('register_worker', (session, reply) => {
        write(session, () => {
          if (!workers.has(id)) workers.set(id, { beat: 0, leaving: false, suppressionLists: 0 });
        });
        reply();
      }),

    beatWorker: (id: string) =>
      client.query<number | undefined>('beat_worker', (session, reply) => {
        lockWorker(database, session, id, () => {
          const worker = workers.get(id);
          if (worker === undefined) return reply(undefined);
          write(session, () => worker.beat++);
          reply(server.nowMs);
        });
      }),

    leaveWorker: (id: string) =>
      client.query<void>('leave_worker', (session, reply) => {
        lockWorker(database, session, id, () => {
          const worker = workers.get(id);
          if (worker) {
            write(session, () => {
              worker.leaving = true;
            });
          }
          reply();
        });
      }),

    removeWorker: (id: string) =>
      client.query<void>('remove_worker', (session, reply) => {
        lockWorker(database, session, id, () => {
          write(session, () => workers.delete(id));
          reply();
        });
      }),

    removeSilentWorker: ({ id, beat }: { id: string; beat: string }) =>
      client.query<boolean>('remove_silent_worker', (session, reply) => {
        lockWorker(database, session, id, () => {
          const silent = workers.get(id)?.beat === Number(beat);
          if (silent) write(session, () => workers.delete(id));
          reply(silent);
        });
      }),

    async readOwners() {
      const shardsByWorker = await client.query(
        'count_shards_by_worker',
        (_, reply: Reply<Map<string | null, number>>) => {
          const counts = new Map<string | null, number>();
          for (const { worker } of owners) counts.set(worker, (counts.get(worker) ?? 0) + 1);
          reply(counts);
        },
      );
      const rows = await client.query(
        'read_beats',
        (_, reply: Reply<[string, { beat: number; leaving: boolean }][]>) => {
          reply([...workers].map(([id, worker]) => [id, { ...worker }]));
        },
      );
      return {
        shardsByWorker,
        beats: new Map(rows.map(([id, { beat }]) => [id, `${beat}`])),
        leaving: new Set(rows.filter(([, { leaving }]) => leaving).map(([id]) => id)),
      };
    },

    readFreeShards: (removed: string[]) =>
      client.query('read_free_shards', (_, reply: Reply<ReturnType<typeof epochOf>[]>) => {
        const free = owners.flatMap(({ worker }, shard) =>
          worker === null || removed.includes(worker) ? [epochOf(shard)] : [],
        );
        reply(free);
      }),

    claimShards: ({ workerId, free, lockMs }: { workerId: string; free: ShardEpoch[]; lockMs: number }) =>
      client.transaction('claim_shards', (connection) =>
        connection.call((session, reply: Reply<ShardEpoch[] | undefined>) => {
          const shards = free.map(({ shard }) => shard).sort((a, b) => a - b);
          let waiting = true;
          lockShards(database, session, shards, () => {
            if (!waiting) return;
            waiting = false;
            // After waiting for a row, its present version is looked at.
            const claimed = free.filter(({ shard, epoch }) => owners[shard]!.epoch === epoch);
            for (const { shard, epoch } of claimed) {
              write(session, () => {
                owners[shard] = { worker: workerId, epoch: epoch + 1 };
              });
            }
            reply(claimed.map(({ shard, epoch }) => ({ shard, epoch: epoch + 1 })));
          });
          if (!waiting) return;
          server.scheduler.after(lockMs, () => {
            if (!waiting || session.ended) return;
            waiting = false;
            reply(undefined);
          });
        }),
      ),

    releaseShards: ({
      workerId,
      shards,
      lockMs,
    }: {
      workerId: string;
      shards: ShardEpoch[];
      lockMs: number;
    }) =>
      client.transaction('release_shards', (connection) =>
        connection.call((session, reply: Reply<boolean>) => {
          const owned = shards.filter(({ shard }) => owners[shard]!.worker === workerId);
          const sorted = owned.map(({ shard }) => shard).sort((a, b) => a - b);
          let waiting = true;
          lockShards(database, session, sorted, () => {
            if (!waiting) return;
            waiting = false;
            for (const { shard, epoch } of owned) {
              const owner = owners[shard]!;
              if (owner.worker !== workerId || owner.epoch !== epoch) continue;
              write(session, () => {
                owner.worker = null;
              });
            }
            reply(true);
          });
          if (!waiting) return;
          server.scheduler.after(lockMs, () => {
            if (!waiting || session.ended) return;
            waiting = false;
            reply(false);
          });
        }),
      ),

    readOwnedShards: (workerId: string) =>
      client.query('read_owned_shards', (_, reply: Reply<ReturnType<typeof epochOf>[]>) => {
        reply(owners.flatMap(({ worker }, shard) => (worker === workerId ? [epochOf(shard)] : [])));
      }),
  };
}

function lockWorker(database: ModelDatabase, session: Session, id: string, granted: () => void): void {
  database.locks.lock(session, { key: `worker ${id}`, mode: 'exclusive', granted });
}

/** One row after the other, as an UPDATE comes across them. */
function lockShards(database: ModelDatabase, session: Session, shards: number[], granted: () => void): void {
  const [first, ...others] = shards;
  if (first === undefined) {
    granted();
    return;
  }
  const next = () => lockShards(database, session, others, granted);
  database.locks.lock(session, { key: `shard ${first}`, mode: 'exclusive', granted: next });
}
