import type { Clock } from '../../lib/clock.ts';
import { type Database, type DatabaseSettings, openDatabase } from '../database.ts';
import { createLagHistory } from './lag-history.ts';
import type { Obstacle } from './obstacle.ts';
import { readReplicaPosition, readServerName, readsOneLog } from './read-positions.ts';
import { Replica } from './replica.ts';
import { replicaName } from './replica-name.ts';
import { createReplicaSet, type ReplicaSet } from './replica-set.ts';
import { createWalEnd } from './wal-end.ts';

export interface ReplicasSettings {
  primary: Database;
  /** The primary's, and those of its standbys, or of balancers before them. */
  primaryUrl: string;
  replicaUrls: readonly string[];
  /** Connections for reads at most, to each replica. */
  poolSize: number;
  namedStatements: boolean;
  /** Further behind than this, a replica is left out. */
  lagMaxMs: number;
  clock: Clock;
  /** A replica is left out from now on, or used again. */
  onChange: (replica: { name: string; obstacle: Obstacle | undefined }) => void;
  onRead?: (target: string) => void;
  onRepeat?: (target: string) => void;
}

/** A replica that can never be one, as it is configured. */
export class ReplicaError extends Error {
  override readonly name = 'ReplicaError';
}

export interface OpenedReplicas extends ReplicaSet {
  close(): Promise<void>;
}

/** A silent server is known as one after this and `answerExtraMs`, not after what a search may take. */
const watchTimeoutMs = 1_000;
const answerExtraMs = 500;
/**
 * A standby holds the locks of a transaction until it replays its end, which it may not get for as long as it is cut off or
 * held back: what waits for one is read at the primary instead.
 */
const lockTimeoutMs = 500;

/**
 * Opens the replicas and looks at each of them once. One that does not answer yet, or is the primary now, is left out
 * until it is a replica.
 * @throws ReplicaError for one of another cluster or database, and where the database has no single log; DatabaseError
 * when the primary does not answer
 */
export async function openReplicas(settings: ReplicasSettings): Promise<OpenedReplicas> {
  const { primary, clock } = settings;
  const opened: Database[] = [];
  const close = async () => void (await Promise.all(opened.map((database) => database.close())));
  const open = (url: string, more: Partial<DatabaseSettings> & { name: string; poolSize: number }) => {
    const database = openDatabase({ url, namedStatements: settings.namedStatements, ...more });
    opened.push(database);
    return database;
  };
  const watching = { poolSize: 1, statementTimeoutMs: watchTimeoutMs, answerExtraMs };
  try {
    if (!(await readsOneLog(primary))) {
      throw new ReplicaError(
        'replicaUrls: a distributed database (Citus) has no single log to compare replicas with',
      );
    }
    const identity = await readReplicaPosition(primary);
    const history = createLagHistory();
    const replicas = settings.replicaUrls.map((url) => {
      const name = replicaName(url);
      const onIdleError: Replica['lose'] = (fault) => replica.lose(fault);
      const replica: Replica = new Replica({
        name,
        database: open(url, {
          ...{ name: 'replica', poolSize: settings.poolSize, lockTimeoutMs, onIdleError },
          onConnection: async (connection) => replica.meet(await readServerName(connection)),
        }),
        watch: open(url, { name: 'replica watch', ...watching, onIdleError }),
        ...{ primary: identity, history, clock },
        lagMaxMs: settings.lagMaxMs,
        onChange: (obstacle) => settings.onChange({ name, obstacle }),
      });
      return replica;
    });
    const watch = open(settings.primaryUrl, { name: 'log watch', ...watching });
    const walEnd = createWalEnd({ primary: watch, clock });
    const { onRead, onRepeat } = settings;
    const heard = { ...(onRead && { onRead }), ...(onRepeat && { onRepeat }) };
    const set = createReplicaSet({ primary, watch, replicas, history, walEnd, clock, ...heard });
    await set.measurePrimary();
    await Promise.all(replicas.map((replica) => replica.measure()));
    const foreign = replicas.find(({ obstacle }) => isForeign(obstacle));
    if (foreign) throw new ReplicaError(`replicaUrls: ${foreign.name} ${foreign.obstacle!.says}`);
    return { ...set, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** No failover and no waiting makes a replica of it. */
function isForeign(obstacle: Obstacle | undefined): boolean {
  return obstacle?.kind === 'other-cluster' || obstacle?.kind === 'other-database';
}
