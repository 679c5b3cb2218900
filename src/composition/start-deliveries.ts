import type { ChildProcess } from 'node:child_process';
import type { Config } from '../config/resolve-config.ts';
import { type DeliveryFleet, startDeliveryFleet } from '../delivery/processes/delivery-fleet.ts';
import { systemClock } from '../lib/clock.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { telemetrySettings } from './telemetry-settings.ts';

export interface ServerProcesses {
  /** Starts a further process of this server, which calls `runDeliveries` with this database. */
  spawn: (access: DatabaseAccess) => ChildProcess;
}

export interface DatabaseAccess {
  databaseUrl: string;
  /** The keys that open the secrets in it. */
  secretKeys: string;
}

/** Sends in flight get this long for their answer. */
export const sendsEndMs = 10_000;

export async function startDeliveries(
  access: DatabaseAccess,
  parts: { config: Config; log: Logger; metrics: Metrics; stops: StopStack; processes: ServerProcesses },
): Promise<DeliveryFleet> {
  const { config, log, metrics, stops, processes } = parts;
  const delivery = await startDeliveryFleet({
    ...deliverySettings(access, { config, log }),
    clock: systemClock,
    metrics,
    processes: config.processes,
    spawn: () => processes.spawn(access),
  });
  stops.push(() => delivery.stop({ deadlineMs: sendsEndMs }));
  return delivery;
}

export function deliverySettings(access: DatabaseAccess, { config, log }: { config: Config; log: Logger }) {
  return {
    ...access,
    poolSize: config.deliveryConnections,
    namedStatements: config.namedStatements,
    leaseMs: config.leaseMs,
    logLevel: config.logLevel,
    observe: {
      logAttempts: config.logAttempts,
      recipients: config.logRecipients,
      logRoutes: false,
      telemetry: telemetrySettings(config),
    },
    onFailure: (err: unknown) => log.fatal({ err }, 'deliveries failed and are started again'),
  };
}
