import type { Queryable } from '../database.ts';
import { DatabaseError, isDatabaseFault } from '../database-error.ts';
import { faultOf } from '../fault.ts';
import type { Clients } from './clients.ts';
import { commit } from './commit.ts';

/** `transaction` of a `Database`: statements that are chosen by the answers to those before. */
export async function runTransaction<Result>(
  clients: Clients,
  work: (transaction: Queryable) => Promise<Result>,
): Promise<Result> {
  const client = await clients.take();
  let committing = false;
  try {
    await clients.begin(client);
    const result = await work({ query: (statement, values = []) => clients.run(client, statement, values) });
    committing = true;
    await commit(client);
    clients.giveBack(client);
    return result;
  } catch (error) {
    if (error instanceof DatabaseError) throw await clients.abandon(client, error);
    const known = isDatabaseFault(error);
    if (!known) {
      await clients.abandon(client, null);
      throw error;
    }
    const fault = faultOf(error);
    const ambiguous = fault.ambiguous || (committing && fault.connectionLost);
    throw await clients.abandon(client, new DatabaseError({ ...fault, ambiguous }, error));
  }
}
