import { connectionsOf } from '../config/connections-of.ts';
import type { Config } from '../config/resolve-config.ts';
import { keepEmbedded } from '../embedded/keep-embedded.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import type { Logger } from '../observe/log.ts';

/** The PostgreSQL that comes along, for a server that is given no other; its URL. */
export async function startOwnDatabase(
  config: Config,
  { log, stops, signal }: { log: Logger; stops: StopStack; signal: AbortSignal },
): Promise<string> {
  const server = await keepEmbedded({
    dataDir: config.data,
    log: (message) => log.info(message),
    onFault: (err) => log.error({ err }, 'the database is away'),
    settings: { max_connections: embeddedConnections(config) },
    signal,
  });
  stops.push(() => server.stop());
  return server.url;
}

/** Room for every pool of every process, and for people and tools beside them. */
function embeddedConnections(config: Config): number {
  return Math.max(embeddedConnectionsMin, connectionsOf(config) + sparedConnections);
}

const embeddedConnectionsMin = 100;
/** For psql, backups, monitoring, `doctor`, and those that PostgreSQL reserves. */
const sparedConnections = 30;
