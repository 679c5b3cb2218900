import type { Queryable } from './database.ts';

/**
 * What a message that is acknowledged now survives: the loss of the primary (a synchronous standby has it, on its disk or in its memory), or of its
 * processes alone. `unknown` where each server of a distributed database has its own settings.
 */
export const acknowledgements = ['replicated', 'replicated-in-memory', 'on-primary-only', 'unknown'] as const;

export interface Acknowledgement {
  acknowledged: (typeof acknowledgements)[number];
  /** No standby is there that a COMMIT waits for: none comes to an end. */
  waiting: boolean;
}

/** Who may not see what standbys do (pg_monitor) sees that they are there; their state is NULL. */
const statement = {
  name: 'read_acknowledgement',
  text: `SELECT current_setting('synchronous_standby_names') AS names, current_setting('synchronous_commit') AS commit,
      to_regclass('pg_dist_node') IS NOT NULL AS distributed,
      count(*) > count(sync_state) AS hidden,
      count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) > 0 AS "inSync"
    FROM pg_stat_replication`,
};

/** A COMMIT that waits for a standby ends with it or not at all, so the settings tell what one that has ended means. */
export async function readAcknowledgement(database: Queryable): Promise<Acknowledgement> {
  const { rows } = await database.query<{
    names: string;
    commit: string;
    distributed: boolean;
    hidden: boolean;
    inSync: boolean;
  }>(statement);
  const { names, commit, distributed, hidden, inSync } = rows[0]!;
  if (distributed) return { acknowledged: 'unknown', waiting: false };
  if (names === '' || commit === 'local' || commit === 'off') {
    return { acknowledged: 'on-primary-only', waiting: false };
  }
  // The standby's system has it then, not its disk: its own machine must not be lost with the primary's.
  const acknowledged = commit === 'remote_write' ? 'replicated-in-memory' : 'replicated';
  return { acknowledged, waiting: !inSync && !hidden };
}
