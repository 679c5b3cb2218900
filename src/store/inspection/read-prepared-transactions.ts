import type { Queryable } from '../database.ts';

export interface PreparedTransaction {
  gid: string;
  database: string;
  ageMs: number;
}

const listedMax = 20;

const statement = {
  name: 'read_prepared_transactions',
  text: `SELECT gid, database, (extract(epoch FROM clock_timestamp() - prepared) * 1000)::float8 AS "ageMs"
    FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - $1::float8 * interval '1 millisecond'
    ORDER BY prepared LIMIT ${listedMax}`,
};

/** Transactions that were prepared longer ago, and neither committed nor rolled back: they hold rows and locks. */
export async function readPreparedTransactions(
  database: Queryable,
  olderThanMs: number,
): Promise<PreparedTransaction[]> {
  return (await database.query<PreparedTransaction & Record<string, unknown>>(statement, [olderThanMs])).rows;
}
