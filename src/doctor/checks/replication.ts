import {
  type Replication,
  readReplication,
  readStandbys,
  type Standby,
} from '../../store/inspection/read-replication.ts';
import type { Check, Finding } from '../check.ts';

/** Whether "accepted" means that a message survives the loss of the database's machine. */
export const replication: Check = {
  name: 'replication',
  async run({ database }) {
    return [judge(await readReplication(database), await readStandbys(database))];
  },
};

function judge({ isStandby, names, commit, byPatroni, role }: Replication, standbys: Standby[]): Finding {
  const advice = byPatroni ? adviceWithPatroni : adviceAlone;
  if (isStandby) {
    return {
      severity: 'info',
      summary: 'this server is a standby: what a COMMIT waits for is told by its primary',
    };
  }
  if (names === '') {
    const connected = `${standbys.length} standby${standbys.length === 1 ? '' : 's'} connected`;
    return {
      severity: 'info',
      summary: `accepted means on this server's disk: no standby is waited for (${connected})`,
      mend: `Where a failover must lose nothing: ${advice.wait}`,
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
    const who = inSync.map(({ name }) => name).join(', ');
    if (commit === 'remote_write') return inMemory(who);
    return { severity: 'ok', summary: `accepted means replicated: ${who} in sync` };
  }
  if (standbys.some(({ syncState }) => syncState === null)) {
    return {
      severity: 'info',
      summary: `accepted means replicated; whether the standby that is waited for is there cannot be seen (${standbys.length} connected)`,
      mend: `As a superuser: GRANT pg_monitor TO ${role};`,
    };
  }
  return {
    severity: 'error',
    summary: `synchronous_standby_names is ${JSON.stringify(names)} and no such standby is connected: every COMMIT waits`,
    mend: `Start the standby; or go on without, knowing that a failover may lose messages: ${advice.goOn}`,
  };
}

function inMemory(who: string): Finding {
  return {
    severity: 'warning',
    summary: `accepted means on the primary's disk and in the standby's memory (${who}): synchronous_commit = remote_write waits for no disk there`,
    mend: 'So that a loss of power on both loses nothing: set synchronous_commit = on, where it was changed (server, database or role)',
  };
}

const adviceAlone = {
  wait: `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (…)'; SELECT pg_reload_conf();`,
  goOn: `ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();`,
};

/** It writes that setting itself, whatever ALTER SYSTEM says. Without `strict` it waits for nobody after each promotion. */
const adviceWithPatroni = {
  wait: 'patronictl edit-config -s synchronous_mode=true -s synchronous_mode_strict=true',
  goOn: 'patronictl edit-config -s synchronous_mode_strict=false',
};
