import { parsePosition } from '../../lib/log-position.ts';
import type { Queryable } from '../database.ts';
import { writtenTimeline } from '../written-timeline.ts';

/** Where a log ends, or how far a copy of it has come. */
export interface WalPosition {
  timeline: number;
  position: bigint;
}

/** What tells a database apart from others, wherever it is. */
export interface DatabaseIdentity {
  /** The same for a primary and its standbys, and for no other cluster. */
  cluster: string;
  /** The same for a primary and its standbys, and for no other database of the cluster. */
  database: string;
}

/**
 * One for each server and each of its starts. Its own address alone does not tell servers apart: containers of several
 * machines may have the same.
 */
export type ServerName = string;

export interface ReplicaPosition extends DatabaseIdentity {
  server: ServerName;
  standby: boolean;
  /** Replayed, so that reads see it; null on a server that replays nothing. */
  replayed: WalPosition | null;
}

/**
 * What is committed was flushed before its COMMIT was answered, unless the server was told not to wait: then only the
 * end of what is inserted is certainly behind it. The end of what is flushed is the better one to wait for: it is
 * always the end of a record, and standbys get nothing else. `pg_control_checkpoint` has the timeline of the last
 * checkpoint alone.
 */
const walEnd = {
  name: 'wal_end',
  text: `
    SELECT CASE current_setting('synchronous_commit')
             WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn()
           END::text AS position,
           ${writtenTimeline} AS timeline`,
};

/** Behind every transaction whose COMMIT was answered before this is asked. Fails on a standby. */
export async function readWalEnd(primary: Queryable): Promise<WalPosition> {
  const { rows } = await primary.query<{ position: string; timeline: number }>(walEnd);
  const { position, timeline } = rows[0]!;
  return { position: parsePosition(position), timeline };
}

const serverName = `concat_ws(' ', host(inet_server_addr()), inet_server_port(),
  extract(epoch FROM pg_postmaster_start_time()))`;

export async function readServerName(server: Queryable): Promise<ServerName> {
  const { rows } = await server.query<{ server: ServerName }>({
    name: 'server_name',
    text: `SELECT ${serverName} AS server`,
  });
  return rows[0]!.server;
}

/**
 * The receiver's timeline is the one that is replayed: a standby follows a new timeline only from a place that lies in
 * its history. It is hidden from roles without pg_read_all_stats, and gone with the receiver; those of the last restart point
 * and of the last page that was written lag behind it, and are never ahead: a server that starts is asked nothing
 * before it has come so far again.
 */
const replicaPosition = {
  name: 'replica_position',
  text: `
    SELECT pg_is_in_recovery() AS standby,
           (SELECT system_identifier::text FROM pg_control_system()) AS cluster,
           (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
           ${serverName} AS server,
           pg_last_wal_replay_lsn()::text AS position,
           greatest((SELECT received_tli FROM pg_stat_wal_receiver),
                    (SELECT timeline_id FROM pg_control_checkpoint()),
                    (SELECT min_recovery_end_timeline FROM pg_control_recovery()))::float8 AS timeline`,
};

export async function readReplicaPosition(server: Queryable): Promise<ReplicaPosition> {
  const { rows } = await server.query<{
    standby: boolean;
    cluster: string;
    database: string;
    server: ServerName;
    position: string | null;
    timeline: number;
  }>(replicaPosition);
  const { position, timeline, ...found } = rows[0]!;
  const replayed = position === null ? null : { position: parsePosition(position), timeline };
  return { ...found, replayed };
}

/** Whether the database is spread over several servers, each with a log of its own. */
export async function readsOneLog(primary: Queryable): Promise<boolean> {
  const { rows } = await primary.query<{ spread: boolean }>({
    name: 'is_citus',
    text: `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') AS spread`,
  });
  return !rows[0]!.spread;
}
