import type { Queryable } from './database.ts';

/** Whether nothing can be written: on a standby, or because the server was told so. */
export async function isReadOnly(database: Queryable): Promise<boolean> {
  const { rows } = await database.query<{ transaction_read_only: string }>({
    name: 'is_read_only',
    text: 'SHOW transaction_read_only',
  });
  return rows[0]?.transaction_read_only === 'on';
}
