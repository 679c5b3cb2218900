import type { SuppressionStore } from '../../src/delivery/delivery-store.ts';
import {
  type RecentSuppression,
  type SuppressionListRow,
  suppressionDigest,
} from '../../src/store/delivery/read-suppressions.ts';
import type { ModelClient, Reply } from './model-client.ts';
import { type ModelDatabase, write } from './model-database.ts';

/** What finds the recipients that get nothing, on the model. */
export function modelSuppressions(client: ModelClient): SuppressionStore {
  const { database } = client.server;
  return {
    readSuppressionLists: () =>
      client.query('read_suppression_lists', (_, reply: Reply<SuppressionListRow[]>) => {
        reply(database.suppressionLists.map((list) => ({ ...list })));
      }),

    readSuppressionDigest: () =>
      client.query('read_suppression_digest', (_, reply: Reply<string>) => {
        reply(suppressionDigest(database.suppressionLists));
      }),

    readRecentSuppressions: ({ lists, limit }) =>
      client.query('read_recent_suppressions', (_, reply: Reply<RecentSuppression[]>) => {
        const found = lists.flatMap((list) =>
          database.suppressions
            .filter((row) => isOf(row, list) && row.version > list.version)
            .slice(0, limit),
        );
        reply(found.map(({ accountId, channel, hash }) => ({ accountId, channel, hash })));
      }),

    findSuppressed: ({ hashes }) =>
      client.query('find_suppressed', (_, reply: Reply<string[]>) => {
        const suppressed = new Set(database.suppressions.map(({ hash }) => hash));
        reply(hashes.filter((hash) => suppressed.has(hash)));
      }),

    knowSuppressionLists: ({ workerId, lists }) =>
      client.query('know_suppression_lists', (session, reply: Reply<boolean>) => {
        const locked = { key: `worker ${workerId}`, mode: 'exclusive' } as const;
        const isKnown = database.suppressionLists.length === lists;
        const granted = () => {
          const worker = isKnown ? database.workers.get(workerId) : undefined;
          if (worker) {
            write(session, () => {
              worker.suppressionLists = lists;
            });
          }
          reply(worker !== undefined);
        };
        database.locks.lock(session, { ...locked, granted });
      }),
  };
}

/** As the API adds them: the list is there from the first one on. */
export function suppress(
  database: ModelDatabase,
  { accountId, channel, hashes }: { accountId: number; channel: string; hashes: readonly string[] },
): void {
  let list = database.suppressionLists.find((row) => isOf(row, { accountId, channel }));
  if (list === undefined) {
    list = { accountId, channel, version: 0 };
    database.suppressionLists.push(list);
  }
  list.version++;
  const known = new Set(database.suppressions.map(({ hash }) => hash));
  for (const hash of hashes) {
    if (!known.has(hash)) database.suppressions.push({ accountId, channel, hash, version: list.version });
  }
}

function isOf(
  row: { accountId: number; channel: string },
  list: { accountId: number; channel: string },
): boolean {
  return row.accountId === list.accountId && row.channel === list.channel;
}
