import type { Clock } from '../lib/clock.ts';
import { faultWarning } from '../observe/fault-limit.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { openReplicas, type ReplicasSettings } from '../store/replicas/open-replicas.ts';
import type { ReplicaSet } from '../store/replicas/replica-set.ts';
import { periodic } from './periodic.ts';

const everyMs = 500;

export interface KeptReplicas {
  set: ReplicaSet;
  /** Ends the measuring and closes the connections. */
  stop(): Promise<void>;
}

/** Opens the replicas and measures from then on how far they are behind; tells of each that comes or goes. */
export async function keepReplicas(
  settings: Omit<ReplicasSettings, 'clock' | 'onChange' | 'onRead' | 'onRepeat'> & {
    clock: Clock;
    log: Logger;
    metrics: Metrics;
  },
): Promise<KeptReplicas> {
  const { clock, log, metrics, ...places } = settings;
  const opened = await openReplicas({
    ...places,
    clock,
    onChange({ name: replica, obstacle }) {
      if (obstacle) log.warn({ replica }, `a replica is left out: it ${obstacle.says}`);
      else log.info({ replica }, 'a replica answers reads');
    },
    onRead: metrics.readMade,
    onRepeat: metrics.readRepeated,
  });
  metrics.readReplicas(opened.figures);
  const watches = watchesOf(opened, { clock, log });
  for (const watch of watches) watch.start();
  return {
    set: opened,
    async stop() {
      await Promise.all(watches.map((watch) => watch.stop()));
      await opened.close();
    },
  };
}

/** Each is measured by itself: one that is silent delays none of the others. */
function watchesOf(set: ReplicaSet, { clock, log }: { clock: Clock; log: Logger }) {
  const onError = faultWarning(
    log,
    'the primary does not tell where it is: replicas are judged by what it told last',
  );
  return [
    periodic({ name: 'end of the log', everyMs, clock, onError, runOnce: () => set.measurePrimary() }),
    ...set.replicas.map((replica) =>
      periodic({
        ...{ name: `replica ${replica.name}`, everyMs, clock, onError },
        runOnce: () => replica.measure(),
      }),
    ),
  ];
}
