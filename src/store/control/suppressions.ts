import { type Suppression, type SuppressionChannel, suppressionChannels } from '../../message/suppression.ts';
import type { Queryable } from '../database.ts';

export interface NewSuppression {
  hash: string;
  channel: SuppressionChannel;
  to: string;
  reason: string | null;
  ref: string | null;
}

const raiseStatement = {
  name: 'raise_suppression_list',
  text: `UPDATE suppression_list SET version = version + 1 WHERE account_id = $1 AND channel = $2
    RETURNING version`,
};

/** One statement for any number of rows; what is there stays as it is, also with its address erased. */
const insertStatement = {
  name: 'insert_suppressions',
  text: `INSERT INTO suppression (hash, account_id, channel, version, address, reason, ref)
    SELECT hash, $1, $2, $3, address, reason, ref
    FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) AS new (hash, address, reason, ref)
    ON CONFLICT (hash) DO NOTHING`,
};

/**
 * Adds recipients to lists that are there; the answer is how many are new. The row of the list is locked first, so whoever adds to the
 * same one commits after, with a higher version.
 */
export async function insertSuppressions(
  transaction: Queryable,
  { accountId, entries }: { accountId: number; entries: readonly NewSuppression[] },
): Promise<number> {
  let added = 0;
  // In one order, so that two who add to both lists do not wait for each other.
  for (const channel of suppressionChannels) {
    const of = entries.filter((entry) => entry.channel === channel);
    if (of.length === 0) continue;
    const { rows } = await transaction.query<{ version: string }>(raiseStatement, [accountId, channel]);
    const { rowCount } = await transaction.query(insertStatement, [
      ...[accountId, channel, rows[0]!.version],
      ...[of.map(({ hash }) => hash), of.map(({ to }) => to)],
      ...[of.map(({ reason }) => reason), of.map(({ ref }) => ref)],
    ]);
    added += rowCount;
  }
  return added;
}

const columns = 'hash, channel, address AS "to", reason, ref, created_at AS "createdAt"';

export async function findSuppression(
  database: Queryable,
  { accountId, hash }: { accountId: number; hash: string },
): Promise<Suppression | undefined> {
  const { rows } = await database.query<SuppressionRow>(
    {
      name: 'find_suppression',
      text: `SELECT ${columns} FROM suppression WHERE hash = $1 AND account_id = $2`,
    },
    [hash, accountId],
  );
  return rows[0];
}

/** Where a page of a list ends. */
export interface SuppressionPlace {
  channel: SuppressionChannel;
  version: string;
  hash: string;
}

export type ListedSuppression = Suppression & Pick<SuppressionPlace, 'version'>;

/** Behind `after`, in the order in which they were added; of one channel, or of all, one after the other. */
export async function listSuppressions(
  database: Queryable,
  page: {
    accountId: number;
    channel: SuppressionChannel | undefined;
    after: SuppressionPlace | undefined;
    limit: number;
  },
): Promise<ListedSuppression[]> {
  const { channel, after } = page;
  const from = after ?? { channel: channel ?? suppressionChannels[0], version: '-1', hash: lowestHash };
  const { rows } = await database.query<SuppressionRow & { version: string }>(
    {
      name: 'list_suppressions',
      // A bound on the channel beside the place: a plan that serves any channel must not read one for the other.
      text: `SELECT ${columns}, version FROM suppression
        WHERE account_id = $1 AND (channel, version, hash) > ($2, $3, $4) AND channel <= $5
        ORDER BY channel, version, hash LIMIT $6`,
    },
    [
      ...[page.accountId, from.channel, from.version, from.hash],
      ...[channel ?? suppressionChannels.at(-1), page.limit],
    ],
  );
  return rows;
}

const lowestHash = '00000000-0000-0000-0000-000000000000';

/** What is left out stays as it is. */
export async function changeSuppression(
  transaction: Queryable,
  change: {
    accountId: number;
    hash: string;
    reason?: string | null | undefined;
    ref?: string | null | undefined;
  },
): Promise<Suppression | undefined> {
  const { accountId, hash, reason, ref } = change;
  const { rows } = await transaction.query<SuppressionRow>(
    {
      name: 'change_suppression',
      text: `UPDATE suppression SET reason = CASE WHEN $3 THEN $4 ELSE reason END, ref = CASE WHEN $5 THEN $6 ELSE ref END
        WHERE hash = $1 AND account_id = $2 RETURNING ${columns}`,
    },
    [hash, accountId, reason !== undefined, reason ?? null, ref !== undefined, ref ?? null],
  );
  return rows[0];
}

export async function deleteSuppression(
  transaction: Queryable,
  { accountId, hash }: { accountId: number; hash: string },
): Promise<Suppression | undefined> {
  const { rows } = await transaction.query<SuppressionRow>(
    {
      name: 'delete_suppression',
      text: `DELETE FROM suppression WHERE hash = $1 AND account_id = $2 RETURNING ${columns}`,
    },
    [hash, accountId],
  );
  return rows[0];
}

/** Nothing that tells who it is stays, and it goes on to hold. The answer is whether there was one. */
export async function eraseSuppression(
  transaction: Queryable,
  { accountId, hash }: { accountId: number; hash: string },
): Promise<boolean> {
  const { rowCount } = await transaction.query(
    {
      name: 'erase_suppression',
      text: `UPDATE suppression SET address = NULL, reason = NULL, ref = NULL
        WHERE hash = $1 AND account_id = $2`,
    },
    [hash, accountId],
  );
  return rowCount > 0;
}

type SuppressionRow = Suppression & Record<string, unknown>;
