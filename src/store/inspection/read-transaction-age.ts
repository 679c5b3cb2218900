import type { Queryable } from '../database.ts';

const statement = {
  name: 'read_transaction_age',
  text: 'SELECT age(datfrozenxid)::float8 AS age FROM pg_database WHERE datname = current_database()',
};

/** Transactions since the oldest row that is not frozen: PostgreSQL stops taking writes short of 2^31. */
export async function readTransactionAge(database: Queryable): Promise<number> {
  return (await database.query<{ age: number }>(statement)).rows[0]!.age;
}
