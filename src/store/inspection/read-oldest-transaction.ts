import type { Queryable } from '../database.ts';

const statement = {
  name: 'read_oldest_transaction',
  text: `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)) * 1000, 0)::float8 AS "ageMs"
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
};

/** For how long the oldest transaction of this database has been open; 0 while there is none. */
export async function readOldestTransactionMs(database: Queryable): Promise<number> {
  return (await database.query<{ ageMs: number }>(statement)).rows[0]!.ageMs;
}
