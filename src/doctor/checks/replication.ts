import { readStandbys, type Standby } from '../../store/inspection/read-replication.ts';
import { readSettings } from '../../store/inspection/read-settings.ts';
import type { Check, Finding } from '../check.ts';

/** Whether "accepted" means that a message survives the loss of the database's machine. */
export const replication: Check = {
  name: 'replication',
  async run({ database }) {
    const settings = await readSettings(database, ['synchronous_standby_names', 'synchronous_commit']);
    const names = settings.get('synchronous_standby_names') ?? '';
    const commit = settings.get('synchronous_commit') ?? '';
    return [judge({ names, commit, standbys: await readStandbys(database) })];
  },
};

function judge({ names, commit, standbys }: { names: string; commit: string; standbys: Standby[] }): Finding {
  const connected = `${standbys.length} standby${standbys.length === 1 ? '' : 's'} connected`;
  if (names === '') {
    return {
      severity: 'info',
      summary: `accepted means on this server's disk: no standby is waited for (${connected})`,
      mend: `Where a failover must lose nothing: ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (…)'; SELECT pg_reload_conf();`,
    };
  }
  if (commit === 'local' || commit === 'off') {
    return {
      severity: 'warning',
      summary: `synchronous_standby_names is set, but synchronous_commit = ${commit} waits for no standby`,
      mend: 'ALTER ROLE CURRENT_USER RESET synchronous_commit; and the same for the database and the server',
    };
  }
  const inSync = standbys.filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum');
  if (inSync.length > 0) {
    const summary = `accepted means replicated: ${inSync.map(({ name }) => name).join(', ')} in sync`;
    return { severity: 'ok', summary };
  }
  return {
    severity: 'error',
    summary: `synchronous_standby_names is ${JSON.stringify(names)} and no such standby is connected: every COMMIT waits`,
    mend: `Start the standby; or go on without, knowing that a failover may lose messages: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();`,
  };
}
