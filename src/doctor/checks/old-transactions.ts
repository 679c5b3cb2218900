import {
  countHiddenSessions,
  type OldTransaction,
  readOldTransactions,
} from '../../store/inspection/read-old-transactions.ts';
import { readPendingSize } from '../../store/inspection/read-pending-size.ts';
import { type Check, type Finding, orOk } from '../check.ts';

export const oldTransactions: Check = {
  name: 'old-transactions',
  async run({ database, oldTransactionMs }) {
    const old = await readOldTransactions(database, oldTransactionMs);
    const { deadRows } = await readPendingSize(database);
    const findings = old.map((transaction) => describe(transaction, deadRows));
    const hidden = await countHiddenSessions(database);
    if (hidden > 0) {
      findings.push({
        severity: 'info',
        summary: `${hidden} sessions of other roles cannot be looked at`,
        mend: 'As a superuser: GRANT pg_read_all_stats TO the role that Millrace connects as;',
      });
    }
    return orOk(findings, `no transaction is older than ${oldTransactionMs / 1_000} s`);
  },
};

function describe(transaction: OldTransaction, deadRows: number): Finding {
  const { pid, user, application, state, ageMs, holdsBack } = transaction;
  const who = `pid ${pid} (${user ?? 'unknown'}, ${application || 'no application name'}, ${state ?? 'unknown'})`;
  const age = `open for ${Math.round(ageMs / 1_000)} s`;
  const effect = holdsBack
    ? `holds back the cleaning of every table; pending has ${deadRows} dead rows`
    : 'holds its locks, but no rows';
  return {
    severity: holdsBack ? 'warning' : 'info',
    summary: `${who} has a transaction ${age}: it ${effect}`,
    mend: `SELECT pg_terminate_backend(${pid}); and let its program commit, or set idle_in_transaction_session_timeout for its role`,
  };
}
