import type { PostgresHost } from '../../lib/postgres-url.ts';
import type { HostPool } from './host-pool.ts';

/** The pool of the one host that is used, and those before it, which end. */
export interface CurrentPool {
  /** Of a host that is to be used: another one's is retired. Throws once they are closed. */
  of(host: PostgresHost): HostPool;
  /** Ends every connection to the host, if it is the one that is used. */
  retire(host: PostgresHost): void;
  /** Resolves when the pools before have ended as well. */
  close(): Promise<void>;
}

export function currentPool(open: (host: PostgresHost) => HostPool): CurrentPool {
  const ending = new Set<Promise<void>>();
  let closed = false;
  let current: { host: PostgresHost; pool: HostPool } | undefined;

  function retire(host: PostgresHost): void {
    if (current?.host !== host) return;
    const { pool } = current;
    current = undefined;
    pool.cut();
    const ended = pool.close();
    ending.add(ended);
    void ended.finally(() => ending.delete(ended));
  }

  return {
    of(host) {
      // Whoever looked for the host meanwhile would open a pool that nobody closes.
      if (closed) throw new Error('the connections are closed');
      if (current?.host !== host) {
        if (current) retire(current.host);
        current = { host, pool: open(host) };
      }
      return current.pool;
    },
    retire,
    async close() {
      closed = true;
      if (current) ending.add(current.pool.close());
      await Promise.all(ending);
    },
  };
}
