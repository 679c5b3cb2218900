import type { Config } from '../config/resolve-config.ts';
import type { DeliveryFleet } from '../delivery/processes/delivery-fleet.ts';
import { systemClock } from '../lib/clock.ts';
import { packageVersion } from '../lib/package-root.ts';
import type { StopStack } from '../lib/stop-stack.ts';
import { faultWarning } from '../observe/fault-limit.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { gatherFigures } from '../services/gather-figures.ts';
import { lookAtDisk } from '../services/look-at-disk.ts';
import type { Fault } from '../store/fault.ts';
import { openPool, type Pools } from './open-pool.ts';

/** Figures that are looked up when somebody asks for /metrics, and not otherwise. */
export function startFigures(
  databaseUrl: string,
  parts: {
    config: Config;
    log: Logger;
    metrics: Metrics;
    pools: Pools;
    stops: StopStack;
    delivery: DeliveryFleet | undefined;
    /** Why nothing could be written lately, if the database was full. */
    full: () => Fault | undefined;
  },
): void {
  const { config, log, metrics, pools, delivery, full } = parts;
  const database = openPool(databaseUrl, { ...parts, name: 'figures', poolSize: 1 });
  metrics.runs({ version: packageVersion() });
  metrics.readDisk(() => lookAtDisk(config.data));
  metrics.readPools(() => [...pools.use(), ...(delivery?.pools() ?? [])]);
  metrics.readDatabase(
    gatherFigures({
      database,
      full,
      clock: systemClock,
      onError: faultWarning(log, 'the database does not tell the figures of /metrics'),
    }),
  );
}
