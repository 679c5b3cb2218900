import type { ApiContext } from '../api/context.ts';
import type { Config } from '../config/resolve-config.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { keepReplicas } from '../services/keep-replicas.ts';
import type { Database } from '../store/database.ts';

/** Replicas answer reads, where there are any. */
export async function openReads(
  config: Config,
  parts: { database: Database; databaseUrl: string; log: Logger; metrics: Metrics; stops: StopStack },
): Promise<Pick<ApiContext, 'replicas'>> {
  const { database: primary, databaseUrl: primaryUrl, stops, ...rest } = parts;
  const { replicaUrls, replicaLagMaxMs: lagMaxMs, namedStatements, readConnections: poolSize } = config;
  if (replicaUrls.length === 0) return {};
  const places = { primary, primaryUrl, replicaUrls, poolSize, namedStatements, lagMaxMs };
  const kept = await keepReplicas({ ...places, ...rest, clock: systemClock });
  stops.push(() => kept.stop());
  return { replicas: kept.set };
}
