import type pg from 'pg';
import type { Call } from '../database.ts';
import { DatabaseError, faultThrown, isRefusal } from '../database-error.ts';
import { faultOf } from '../fault.ts';
import type { Clients } from './clients.ts';
import { commit, withoutWarning } from './commit.ts';

/** `transactionOf` of a `Database`: statements that are all known before the first is answered. */
export async function runCalls(clients: Clients, calls: readonly Call[]): Promise<void> {
  if (calls.length === 1 && clients.limited) return await runOne(clients, calls[0]!);
  const client = await clients.take();
  // Its answer is waited for: behind a BEGIN that was canceled each statement would be committed by itself.
  try {
    await clients.begin(client);
  } catch (error) {
    throw await clients.abandon(client, new DatabaseError(faultOf(error), error));
  }
  const answers = inOneWrite(client, () => [
    ...calls.map(({ statement, values }) => clients.run(client, statement, values)),
    commit(client),
  ]);
  const settled = await Promise.allSettled(answers);
  // What failed first is the reason, what follows is refused because of it.
  const first = settled.find((answer) => answer.status === 'rejected');
  if (first) {
    const fault = faultThrown(first.reason);
    const last = settled.at(-1)!;
    // The COMMIT was on its way already: only its own answer tells that nothing came of it.
    const unheard = last.status === 'rejected' && faultThrown(last.reason).connectionLost;
    const ambiguous = fault.ambiguous || unheard;
    throw await clients.abandon(client, new DatabaseError({ ...fault, ambiguous }, first.reason));
  }
  clients.giveBack(client);
}

/** A statement by itself is a transaction, and its answer that of its commit. */
async function runOne(clients: Clients, { statement, values }: Call): Promise<void> {
  const client = await clients.take();
  try {
    await withoutWarning(client, () => clients.run(client, statement, values));
  } catch (error) {
    const fault = faultThrown(error);
    const ambiguous = fault.ambiguous || (fault.connectionLost && !isRefusal(error));
    clients.giveBack(client, fault);
    throw new DatabaseError({ ...fault, ambiguous }, error);
  }
  clients.giveBack(client);
}

/** A system call for each statement would wake the server's process as often. */
function inOneWrite<Result>(client: pg.PoolClient, issue: () => Result): Result {
  const { stream } = client.connection;
  stream.cork();
  try {
    return issue();
  } finally {
    stream.uncork();
  }
}
