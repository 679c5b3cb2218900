import type { Queryable } from '../database.ts';

export interface ReplicationSlot {
  name: string;
  active: boolean;
  /** `lost`: its standby can follow no more. */
  walStatus: string | null;
  /** WAL that is kept for it. */
  bytes: number | null;
  /** It holds back the removal of dead rows. */
  holdsRows: boolean;
}

export interface Standby {
  name: string;
  /** Null for whoever lacks pg_monitor, as its state is. */
  syncState: string | null;
}

export interface Replication {
  /** This server follows another one itself. */
  isStandby: boolean;
  /** synchronous_standby_names */
  names: string;
  /** synchronous_commit */
  commit: string;
  /** Patroni is connected: it sets what ALTER SYSTEM would. */
  byPatroni: boolean;
  /** Who asks, quoted. */
  role: string;
}

const slotsStatement = {
  name: 'read_replication_slots',
  text: `SELECT slot_name AS name, active, wal_status AS "walStatus", xmin IS NOT NULL AS "holdsRows",
      pg_wal_lsn_diff(
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn
      )::float8 AS bytes
    FROM pg_replication_slots ORDER BY slot_name`,
};

const standbysStatement = {
  name: 'read_standbys',
  text: `SELECT coalesce(application_name, 'unnamed') AS name, sync_state AS "syncState" FROM pg_stat_replication ORDER BY 1`,
};

export async function readReplicationSlots(database: Queryable): Promise<ReplicationSlot[]> {
  return (await database.query<ReplicationSlot & Record<string, unknown>>(slotsStatement)).rows;
}

const replicationStatement = {
  name: 'read_replication',
  text: `SELECT pg_is_in_recovery() AS "isStandby", quote_ident(current_user) AS role,
      current_setting('synchronous_standby_names') AS names, current_setting('synchronous_commit') AS commit,
      EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'Patroni%') AS "byPatroni"`,
};

export async function readReplication(database: Queryable): Promise<Replication> {
  return (await database.query<Replication & Record<string, unknown>>(replicationStatement)).rows[0]!;
}

/** The standbys that are connected now. */
export async function readStandbys(database: Queryable): Promise<Standby[]> {
  return (await database.query<Standby & Record<string, unknown>>(standbysStatement)).rows;
}
