import type { Config } from '../config/resolve-config.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import { connectionWarning } from '../observe/fault-limit.ts';
import type { PoolState } from '../observe/figures/database-figures.ts';
import type { Logger } from '../observe/log.ts';
import { logHost } from '../observe/log-host.ts';
import { type Database, openDatabase } from '../store/database.ts';

/** The pools of this process, for those who look at how they are used. */
export class Pools {
  readonly #opened = new Map<string, Database>();

  add(name: string, database: Database): void {
    this.#opened.set(name, database);
  }

  use(): PoolState[] {
    return [...this.#opened].map(([pool, database]) => ({ pool, ...database.use() }));
  }
}

/** Connections for one purpose, closed with the server. */
export function openPool(
  url: string,
  at: { config: Config; name: string; poolSize: number; log: Logger; pools: Pools; stops: StopStack },
): Database {
  const database = openDatabase({
    url,
    name: at.name,
    poolSize: at.poolSize,
    namedStatements: at.config.namedStatements,
    onIdleError: connectionWarning(at.log),
    onHost: (event) => logHost(at.log, event),
  });
  at.pools.add(at.name, database);
  at.stops.push(() => database.close());
  return database;
}
