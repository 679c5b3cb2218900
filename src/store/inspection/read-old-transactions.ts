import type { Queryable } from '../database.ts';

export interface OldTransaction {
  pid: number;
  user: string | null;
  application: string;
  /** `idle in transaction`, `active`, … */
  state: string | null;
  ageMs: number;
  /** Dead rows of this database that are younger than it cannot be removed. */
  holdsBack: boolean;
}

/** More would say no more. */
const listedMax = 20;

const statement = {
  name: 'read_old_transactions',
  // Since PostgreSQL 14 a transaction holds back the tables of its own database alone.
  text: `SELECT pid, usename AS "user", application_name AS application, state,
      (extract(epoch FROM clock_timestamp() - xact_start) * 1000)::float8 AS "ageMs",
      datname = current_database() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL) AS "holdsBack"
    FROM pg_stat_activity
    WHERE xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond'
      AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    ORDER BY xact_start LIMIT ${listedMax}`,
};

/** Transactions that have been open for longer than `olderThanMs`, the oldest first. */
export async function readOldTransactions(
  database: Queryable,
  olderThanMs: number,
): Promise<OldTransaction[]> {
  return (await database.query<OldTransaction & Record<string, unknown>>(statement, [olderThanMs])).rows;
}

/** How many sessions of others this role may see nothing of but that they exist. */
export async function countHiddenSessions(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ hidden: number }>({
    name: 'count_hidden_sessions',
    text: `SELECT count(*)::int AS hidden FROM pg_stat_activity WHERE backend_type IS NULL AND pid <> pg_backend_pid()`,
  });
  return rows[0]!.hidden;
}
