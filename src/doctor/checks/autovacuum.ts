import { readSettings } from '../../store/inspection/read-settings.ts';
import { readTransactionAge } from '../../store/inspection/read-transaction-age.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** Of 2^31: PostgreSQL warns 40 million before the end, and stops 3 million before it. */
const ageMax = 1_500_000_000;

export const autovacuum: Check = {
  name: 'autovacuum',
  async run({ database }) {
    const settings = await readSettings(database, ['autovacuum', 'track_counts']);
    const findings: Finding[] = ['autovacuum', 'track_counts']
      .filter((name) => settings.get(name) === 'off')
      .map((name) => ({
        severity: 'error',
        summary: `${name} is off: dead rows are never removed, and every table grows`,
        mend: `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf();`,
      }));
    const age = await readTransactionAge(database);
    if (age > ageMax) {
      findings.push({
        severity: 'error',
        summary: `the oldest row is ${age} transactions old: near 2,147,483,647 PostgreSQL refuses to write`,
        mend: 'End what holds vacuum back (old-transactions, prepared-transactions, replication-slots), then VACUUM (FREEZE);',
      });
    }
    return orOk(findings, 'on');
  },
};
