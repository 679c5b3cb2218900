import type { SuppressionChannel } from '../../message/suppression.ts';
import type { Queryable } from '../database.ts';

/**
 * Lists of suppressions come into being once for each account and channel, and workers look at none that they do not know. So whoever
 * adds the first recipient is not answered before every worker has said that it knows the list: from then on each of them looks whatever it
 * loads up, and what is added holds for every message that is stored later, however soon. Accounts without a list cost nothing that way.
 */
interface ListsKey {
  accountId: number;
  channels: readonly SuppressionChannel[];
}

/** All of them are there, and every worker looks at them. */
export async function areConfirmed(database: Queryable, { accountId, channels }: ListsKey): Promise<boolean> {
  const { rows } = await database.query<{ count: number }>(
    {
      name: 'count_confirmed_suppression_lists',
      text: `SELECT count(*)::integer AS count FROM suppression_list
        WHERE account_id = $1 AND channel = ANY ($2::text[]) AND confirmed`,
    },
    [accountId, channels],
  );
  return rows[0]!.count === channels.length;
}

export async function openLists(database: Queryable, { accountId, channels }: ListsKey): Promise<void> {
  await database.query(
    {
      name: 'open_suppression_lists',
      text: `INSERT INTO suppression_list (account_id, channel) SELECT $1, channel FROM unnest($2::text[]) AS new (channel)
        ON CONFLICT (account_id, channel) DO NOTHING`,
    },
    [accountId, [...channels].sort()],
  );
}

/** Lists are never removed: a worker that knows of as many as there are now knows these. */
export async function countLists(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    name: 'count_suppression_lists',
    text: 'SELECT count(*)::integer AS count FROM suppression_list',
  });
  return rows[0]!.count;
}

/** Those that stop take nothing up any more, and those of a release that has no lists never will know them. */
export async function readUnawareWorkers(
  database: Queryable,
  { lists }: { lists: number },
): Promise<{ host: string; pid: number }[]> {
  const { rows } = await database.query<{ host: string; pid: number }>(
    {
      name: 'read_unaware_workers',
      text: 'SELECT host, pid FROM worker WHERE suppression_lists < $1 AND NOT leaving ORDER BY id',
    },
    [lists],
  );
  return rows;
}

export async function confirmLists(database: Queryable, { accountId, channels }: ListsKey): Promise<void> {
  await database.query(
    {
      name: 'confirm_suppression_lists',
      text: `UPDATE suppression_list SET confirmed = true
        WHERE account_id = $1 AND channel = ANY ($2::text[]) AND NOT confirmed`,
    },
    [accountId, channels],
  );
}
