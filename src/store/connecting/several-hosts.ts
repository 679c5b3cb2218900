import type pg from 'pg';
import type { PostgresHost } from '../../lib/postgres-url.ts';
import { createSemaphore, type Semaphore } from '../../lib/semaphore.ts';
import { faultOf } from '../fault.ts';
import { askConnection, askTimeoutMs } from './ask-host.ts';
import { type Cluster, clusterOf } from './cluster.ts';
import { type ConnectionSettings, type Connections, connectTimeoutMs } from './connections.ts';
import { currentPool } from './current-pool.ts';
import { type HostPool, openHostPool } from './host-pool.ts';

/** A host may turn out not to be the one while it is connected to: then the one that is, is looked for once more. */
const triesMax = 2;

/**
 * Connections to whichever host of the URL takes writes. When it does not any more, all connections to it are
 * ended, and new ones go to the host that does by then.
 */
export function openSeveralHosts(settings: ConnectionSettings): Connections {
  const cluster = clusterOf(settings.url);
  /** Whoever waits does so here: a pool that is left could not hand its waiting on. */
  const permits = createSemaphore(settings.poolSize);
  const taken = new WeakMap<pg.PoolClient, { from: HostPool; host: PostgresHost; free: () => void }>();
  const pools = currentPool((host) => openPoolOf(host, cluster, settings));
  let limited = true;
  const leaveCluster = cluster.join({ leave: (host) => pools.retire(host), onHost: settings.onHost });

  async function take(): Promise<pg.PoolClient> {
    const free = await permitOf(permits);
    try {
      for (let tries = 1; ; tries++) {
        const host = await cluster.find();
        const from = pools.of(host);
        try {
          const client = await from.take();
          limited = from.limited;
          taken.set(client, { from, host, free });
          return client;
        } catch (error) {
          cluster.met(host, faultOf(error));
          if (tries === triesMax) throw error;
        }
      }
    } catch (error) {
      free();
      throw error;
    }
  }

  return {
    get limited() {
      return limited;
    },
    take,
    giveBack(client, fault) {
      const { from, host, free } = taken.get(client)!;
      from.giveBack(client, fault);
      free();
      if (fault) cluster.met(host, fault);
    },
    async close() {
      leaveCluster();
      await pools.close();
    },
  };
}

function openPoolOf(host: PostgresHost, cluster: Cluster, settings: ConnectionSettings): HostPool {
  return openHostPool({
    ...settings,
    url: host.url,
    connectMs: askTimeoutMs,
    async admit(client) {
      if (!cluster.admits(await askConnection(client, cluster.target))) throw new NotTheWriterError(host);
      await settings.admit?.(client);
    },
    onIdleError(fault) {
      settings.onIdleError?.(fault);
      cluster.met(host, fault);
    },
  });
}

/** Waits no longer than for a connection of a pool, and says so in the same words. */
async function permitOf(permits: Semaphore): Promise<() => void> {
  const acquired = permits.acquire();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), connectTimeoutMs);
  });
  const free = await Promise.race([acquired, late]);
  clearTimeout(timer);
  if (free) return free;
  void acquired.then((giveUp) => giveUp());
  throw new Error('timeout exceeded when trying to connect');
}

/** In PostgreSQL's words for a write to a standby, which is what it would come to. */
class NotTheWriterError extends Error {
  override name = 'NotTheWriterError';
  readonly code = '25006';

  constructor({ name }: PostgresHost) {
    super(`${name} does not take writes any more`);
  }
}
