import { readWritability, type Writability } from '../../store/inspection/read-writability.ts';
import type { Check, Finding } from '../check.ts';

/** Whether anything can be written: without that nothing is accepted, and nothing that was is delivered. */
export const writable: Check = {
  name: 'writable',
  async run({ database }) {
    return [judge(await readWritability(database))];
  },
};

function judge(found: Writability): Finding {
  if (!found.isReadOnly) return { severity: 'ok', summary: 'the database takes writes' };
  if (found.isStandby) {
    return {
      severity: 'error',
      summary: 'the database is a standby: nothing can be written here',
      mend:
        'Name the primary in --database, or every host, of which the one that takes writes is used: postgres://…@host1,host2/name. ' +
        'Where no primary is left, promote this one: SELECT pg_promote();',
    };
  }
  return {
    severity: 'error',
    summary: 'the database is read-only: default_transaction_read_only is on',
    mend: `Look at its disk first: some who run databases set it while that is full. Then: ${reset(found)}`,
  };
}

/** What is read-only itself may be altered only by a session that is not. */
function reset({ source, role, database }: Writability): string {
  const setting = 'default_transaction_read_only';
  const alter = (what: string) => `SET ${setting} = off; ALTER ${what} RESET ${setting};`;
  switch (source) {
    case 'database':
      return alter(`DATABASE ${database}`);
    case 'user':
      return alter(`ROLE ${role}`);
    case 'database user':
      return alter(`ROLE ${role} IN DATABASE ${database}`);
    case 'client':
    case 'session':
      return `take ${setting} out of the options of the URL, or of the pooler before the database`;
    default:
      return `ALTER SYSTEM RESET ${setting}; SELECT pg_reload_conf(); and take it out of postgresql.conf where it stands there`;
  }
}
