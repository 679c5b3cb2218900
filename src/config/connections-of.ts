import { parsePostgresUrl } from '../lib/postgres-url.ts';
import type { Config } from './resolve-config.ts';

/** The lease of a worker has a connection of its own. */
const leaseConnections = 1;

/** Asks the primary where its log ends, where there are replicas to compare. */
const logWatchConnections = 1;

/** One finds the messages of receipts, one tells webhooks of changes, one adds up statistics. */
const eventsConnections = 3;

/** Tells what the database looks like, to monitoring: also while the others are taken. */
const figuresConnections = 1;

/** Database connections that the pools of a server may open together, over all its processes. */
export function connectionsOf(config: Config): number {
  const { readConnections, intakeConnections, deliveryConnections, processes, roles, replicaUrls } = config;
  const watching = replicaUrls.length > 0 ? logWatchConnections : 0;
  const reading = roles.includes('api') ? readConnections + watching : 0;
  const delivering = roles.includes('deliver') ? processes * (deliveryConnections + leaseConnections) : 0;
  const matching = roles.includes('events') ? eventsConnections : 0;
  const figures = figuresConnections;
  return intakeConnections + reading + delivering + matching + figures + lookingOf(config);
}

/** Each thread that has connections asks the hosts of the database by another, where there are several. */
function lookingOf({ database, processes, roles }: Config): number {
  if (database === undefined || parsePostgresUrl(database).hosts.length === 1) return 0;
  return 1 + (roles.includes('deliver') ? processes : 0);
}
