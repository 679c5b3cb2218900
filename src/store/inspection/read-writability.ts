import type { Queryable } from '../database.ts';

/** Whether a transaction of this session could write, and what speaks against it. */
export interface Writability {
  isReadOnly: boolean;
  isStandby: boolean;
  /** Where default_transaction_read_only comes from, as pg_settings has it. */
  source: string | null;
  /** Who asks, and of what, quoted. */
  role: string;
  database: string;
}

const statement = {
  name: 'read_writability',
  text: `SELECT current_setting('transaction_read_only') = 'on' AS "isReadOnly", pg_is_in_recovery() AS "isStandby",
      (SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only') AS source,
      quote_ident(current_user) AS role, quote_ident(current_database()) AS database`,
};

export async function readWritability(database: Queryable): Promise<Writability> {
  return (await database.query<Writability & Record<string, unknown>>(statement)).rows[0]!;
}
