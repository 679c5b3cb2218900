import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { type OldTransaction, readOldTransactions } from '../store/inspection/read-old-transactions.ts';
import { readPendingSize } from '../store/inspection/read-pending-size.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

const everyMs = 60_000;
/** Longer than any transaction of Millrace's own but a migration. */
const oldAfterMs = 60_000;
/** Fewer are what autovacuum leaves between two of its turns. */
const deadRowsMin = 1_000;

export interface WatchTransactionsSettings {
  database: Database;
  clock: Clock;
  /** The oldest transaction that keeps dead rows of the hot table from being removed. */
  onCulprit: (found: { transaction: OldTransaction; deadRows: number }) => void;
  onError: (error: unknown) => void;
  /** A transaction counts as old after this long; 60,000 ms. */
  oldAfterMs?: number;
}

/** Names who holds back the cleaning of `pending`, once a minute. */
export function watchTransactions(
  settings: WatchTransactionsSettings,
): Service & { runOnce(): Promise<void> } {
  const { database, clock, onCulprit, onError } = settings;
  async function runOnce(): Promise<void> {
    const old = await readOldTransactions(database, settings.oldAfterMs ?? oldAfterMs);
    const transaction = old.find(({ holdsBack }) => holdsBack);
    if (transaction === undefined) return;
    const { deadRows } = await readPendingSize(database);
    if (deadRows >= deadRowsMin) onCulprit({ transaction, deadRows });
  }
  return { ...periodic({ name: 'old transactions', everyMs, clock, onError, runOnce }), runOnce };
}
