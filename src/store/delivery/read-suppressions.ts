import type { Queryable } from '../database.ts';

/** The suppressions of one account on one channel. */
export interface SuppressionListRow {
  accountId: number;
  channel: string;
  /** Raised by everyone who adds. */
  version: number;
}

const listsStatement = {
  name: 'read_suppression_lists',
  text: `SELECT account_id AS "accountId", channel, version::float8 AS version FROM suppression_list`,
};

export async function readSuppressionLists(database: Queryable): Promise<SuppressionListRow[]> {
  return (await database.query<SuppressionListRow & Record<string, unknown>>(listsStatement)).rows;
}

const digestStatement = {
  name: 'read_suppression_digest',
  text: `SELECT concat_ws(' ', count(*), coalesce(sum(version), 0)) AS digest FROM suppression_list`,
};

/** Versions only rise and lists are never removed: the digest is another one whenever any of them has changed. */
export async function readSuppressionDigest(database: Queryable): Promise<string> {
  return (await database.query<{ digest: string }>(digestStatement)).rows[0]!.digest;
}

export function suppressionDigest(lists: readonly SuppressionListRow[]): string {
  return `${lists.length} ${lists.reduce((sum, { version }) => sum + version, 0)}`;
}

/** What was added to some lists behind a version of each, so many of each list at most. */
export interface RecentSuppressions {
  lists: readonly SuppressionListRow[];
  limit: number;
}

export interface RecentSuppression {
  accountId: number;
  channel: string;
  hash: string;
}

const recentStatement = {
  name: 'read_recent_suppressions',
  text: `SELECT list.account_id AS "accountId", list.channel, s.hash
    FROM unnest($1::integer[], $2::text[], $3::bigint[]) AS list (account_id, channel, version)
    CROSS JOIN LATERAL (SELECT hash FROM suppression
      WHERE account_id = list.account_id AND channel = list.channel AND version > list.version
      ORDER BY version LIMIT $4) s`,
};

export async function readRecentSuppressions(
  database: Queryable,
  { lists, limit }: RecentSuppressions,
): Promise<RecentSuppression[]> {
  const { rows } = await database.query<RecentSuppression & Record<string, unknown>>(recentStatement, [
    ...[lists.map(({ accountId }) => accountId), lists.map(({ channel }) => channel)],
    ...[lists.map(({ version }) => version), limit],
  ]);
  return rows;
}

/**
 * One look into the index for each, whatever the planner thinks: as a join, or by `= ANY`, it reads the whole of a list of a million
 * rather than look for some thousands.
 */
const findStatement = {
  name: 'find_suppressed',
  text: `SELECT key.hash FROM unnest($1::uuid[]) AS key (hash)
    CROSS JOIN LATERAL (SELECT 1 FROM suppression s WHERE s.hash = key.hash LIMIT 1) found`,
};

/** Which of them are suppressed. */
export async function findSuppressed(
  database: Queryable,
  { hashes }: { hashes: readonly string[] },
): Promise<string[]> {
  const { rows } = await database.query<{ hash: string }>(findStatement, [hashes]);
  return rows.map(({ hash }) => hash);
}

const knowStatement = {
  name: 'know_suppression_lists',
  text: `UPDATE worker SET suppression_lists = $2
    WHERE id = $1 AND (SELECT count(*) FROM suppression_list) = $2`,
};

/**
 * The worker says that it knows of so many lists. False when there are more by now, which it has to read first, or when it is not
 * registered. Whoever adds a list looks at the workers after it is committed: one that is not there yet, or says less, comes
 * across that list here.
 */
export async function knowSuppressionLists(
  database: Queryable,
  { workerId, lists }: { workerId: string; lists: number },
): Promise<boolean> {
  const { rowCount } = await database.query(knowStatement, [workerId, lists]);
  return rowCount > 0;
}
