import type { Database } from './database.ts';

/** What Millrace is measured against: a row a message, five columns, one primary key, and nothing to find it by. */
export async function createRowTable(database: Database, idType = 'bigint'): Promise<void> {
  await database.query(
    `CREATE TABLE message (
       id ${idType} PRIMARY KEY,
       account bigint NOT NULL,
       "to" text NOT NULL,
       body text NOT NULL,
       ref text NOT NULL
     )`,
  );
}
