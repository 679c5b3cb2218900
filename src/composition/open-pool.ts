import type { Config } from '../config/resolve-config.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import type { Logger } from '../observe/log.ts';
import { logHost } from '../observe/log-host.ts';
import { type Database, openDatabase } from '../store/database.ts';

/** Connections for one purpose, closed with the server. */
export function openPool(
  url: string,
  at: { config: Config; name: string; poolSize: number; log: Logger; stops: StopStack },
): Database {
  const database = openDatabase({
    url,
    name: at.name,
    poolSize: at.poolSize,
    namedStatements: at.config.namedStatements,
    onIdleError: (fault) => at.log.warn({ fault }, 'a database connection broke'),
    onHost: (event) => logHost(at.log, event),
  });
  at.stops.push(() => database.close());
  return database;
}
