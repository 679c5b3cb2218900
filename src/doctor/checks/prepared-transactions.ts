import { readPreparedTransactions } from '../../store/inspection/read-prepared-transactions.ts';
import { type Check, orOk } from '../check.ts';

export const preparedTransactions: Check = {
  name: 'prepared-transactions',
  async run({ database, oldTransactionMs }) {
    const old = await readPreparedTransactions(database, oldTransactionMs);
    return orOk(
      old.map(({ gid, database: name, ageMs }) => ({
        severity: 'warning',
        summary: `the transaction '${gid}' of ${name} has been prepared for ${Math.round(ageMs / 1_000)} s: it holds locks and dead rows, over restarts too`,
        mend: `In the database ${name}: ROLLBACK PREPARED ${quoted(gid)}; or COMMIT PREPARED, as its coordinator says`,
      })),
      'none is waiting',
    );
  },
};

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
