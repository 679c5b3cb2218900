import { readSettings } from '../../store/inspection/read-settings.ts';
import { type Check, type Finding, orOk } from '../check.ts';

const switches = {
  fsync: 'a crash of the machine can lose accepted messages and corrupt the database',
  full_page_writes: 'a crash of the machine in the midst of a write can corrupt pages',
} as const;

/** Whether an accepted message is on disk when it is acknowledged. */
export const durability: Check = {
  name: 'durability',
  async run({ database }) {
    const settings = await readSettings(database, [...Object.keys(switches), 'synchronous_commit']);
    const findings: Finding[] = Object.entries(switches)
      .filter(([name]) => settings.get(name) === 'off')
      .map(([name, danger]) => ({
        severity: 'error',
        summary: `${name} is off: ${danger}`,
        mend: `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf();`,
      }));
    if (settings.get('synchronous_commit') === 'off') {
      findings.push({
        severity: 'error',
        summary: 'synchronous_commit is off: a crash loses messages that were accepted up to a second before',
        mend:
          'ALTER SYSTEM RESET synchronous_commit; SELECT pg_reload_conf(); and the same for the role and the database: ' +
          'ALTER ROLE CURRENT_USER RESET synchronous_commit;',
      });
    }
    return orOk(
      findings,
      'fsync, full_page_writes and synchronous_commit are on: what is accepted is on disk',
    );
  },
};
