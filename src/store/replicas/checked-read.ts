import type { Call, Database } from '../database.ts';
import { type ReplicaPosition, readReplicaPosition, type WalPosition } from './read-positions.ts';

export interface CheckedAnswer {
  rows: Record<string, unknown>[];
  rowCount: number;
  /** The statement has seen nothing behind it. */
  end: WalPosition;
}

/**
 * Asks a connection where its server is, and makes the statement there if that is good enough; undefined if not. What
 * `isGoodEnough` throws ends it, and as a DatabaseError of a lost connection the connection too. In one
 * transaction, because a pooler may give the next one another server. It is READ COMMITTED: the statement's snapshot is
 * taken after the answer.
 */
export async function checkedRead(
  database: Database,
  { statement, values }: Call,
  isGoodEnough: (found: ReplicaPosition) => boolean,
): Promise<CheckedAnswer | undefined> {
  return await database.transaction(async (transaction) => {
    if (!isGoodEnough(await readReplicaPosition(transaction))) return undefined;
    const [answer, { replayed }] = await Promise.all([
      transaction.query(statement, values),
      readReplicaPosition(transaction),
    ]);
    // Promoted meanwhile: nothing tells how much of it was seen.
    return replayed === null ? undefined : { ...answer, end: replayed };
  });
}
