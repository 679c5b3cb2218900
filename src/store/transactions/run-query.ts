import type pg from 'pg';
import type { Statement } from '../database.ts';
import { DatabaseError, faultThrown } from '../database-error.ts';
import type { Clients } from './clients.ts';
import { withoutWarning } from './commit.ts';
import { runTransaction } from './run-transaction.ts';

/** `query` of a `Database`: one statement, in a transaction where only that gives it its limit. */
export async function runQuery<Row extends pg.QueryResultRow>(
  clients: Clients,
  statement: Statement,
  values: readonly unknown[],
): Promise<{ rows: Row[]; rowCount: number }> {
  const client = await clients.take();
  if (!clients.limited) {
    clients.giveBack(client);
    return await runTransaction(clients, (one) => one.query<Row>(statement, values));
  }
  try {
    const result = await withoutWarning(client, () => clients.run<Row>(client, statement, values));
    clients.giveBack(client);
    return result;
  } catch (error) {
    const fault = faultThrown(error);
    clients.giveBack(client, fault);
    throw error instanceof DatabaseError ? error : new DatabaseError(fault, error);
  }
}
