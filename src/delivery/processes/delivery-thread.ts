import { randomUUID } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { connectors } from '../../connectors/registry.ts';
import { systemClock } from '../../lib/clock.ts';
import { loopBusiness } from '../../lib/loop-business.ts';
import { createSecretBox, parseSecretKeys } from '../../lib/secret-box.ts';
import { bitmapOf } from '../../message/bitmap.ts';
import { limits } from '../../message/limits.ts';
import { connectionWarning } from '../../observe/fault-limit.ts';
import { createLog } from '../../observe/log.ts';
import { logBatch } from '../../observe/log-batch.ts';
import { logHost } from '../../observe/log-host.ts';
import { logRouteChange } from '../../observe/log-route-change.ts';
import { createControlCache } from '../../store/control/control-cache.ts';
import { type DatabaseSettings, openDatabase } from '../../store/database.ts';
import { deliveryStatements } from '../../store/delivery/delivery-statements.ts';
import { reportsWanted, saveReport } from '../../store/delivery/worker-reports.ts';
import { DeliveryWorker } from '../delivery-worker.ts';
import { Loop } from '../loop.ts';
import { Activity } from '../observe/activity.ts';
import { allObservers } from '../observe/all-observers.ts';
import { AttemptLines } from '../observe/attempt-lines.ts';
import { DeliveryNotes } from '../observe/delivery-notes.ts';
import { LaneReporter } from '../observe/lane-reporter.ts';
import { logBreaker } from '../observe/log-breaker.ts';
import { LoopLag } from '../observe/loop-lag.ts';
import { RouteChanges } from '../observe/route-changes.ts';
import { SpanObserver } from '../observe/span-observer.ts';
import type { DeliveryThreadData, FromDelivery, ToDelivery } from './delivery-protocol.ts';
import { FaultReport } from './fault-report.ts';

/**
 * The thread on which a process delivers: its own event loop, connections and control cache, so that neither
 * a flood of answers delays requests, nor a flood of requests the sends.
 */
const port = parentPort;
if (port === null) throw new Error('delivery-thread is not run by itself');
const data = workerData as DeliveryThreadData;
const statsEveryMs = 1_000;
const run = randomUUID();

// Nothing of it is loaded where it is not wished for.
const telemetry =
  data.observe?.telemetry &&
  (await import('../../observe/otlp/open-telemetry.ts')).openTelemetry(data.observe.telemetry, 'delivery');
const log = createLog({ level: data.logLevel, name: 'delivery', also: telemetry });
const faults = new FaultReport(log);
const onError = (error: unknown) => faults.add(error);

function open(
  settings: Pick<DatabaseSettings, 'name' | 'poolSize' | 'statementTimeoutMs' | 'answerExtraMs'>,
) {
  return openDatabase({
    ...settings,
    url: data.databaseUrl,
    namedStatements: data.namedStatements,
    onIdleError: connectionWarning(log),
    onHost: (event) => logHost(log, event),
  });
}

// The lease has a connection of its own: it must be renewed while the others wait for locks, and after an answer
// that does not come there must be time for another try.
const leaseDatabase = open({
  name: 'lease',
  poolSize: 1,
  statementTimeoutMs: data.leaseMs / 3,
  answerExtraMs: data.leaseMs / 10,
});
const database = open({ name: 'delivery', poolSize: Math.max(2, data.poolSize - 1) });
const secrets = createSecretBox(parseSecretKeys(data.secretKeys) ?? []);
const control = createControlCache({ database, secrets, onError });
await control.start();
if (data.observe?.logRoutes) {
  const changes = new RouteChanges(control.routes());
  control.onChange(() => {
    for (const change of changes.look(control.routes())) logRouteChange(log, change);
  });
}
const lease = ownershipOf(deliveryStatements(leaseDatabase));
if (data.replaces !== undefined) await lease.removeWorker(data.replaces);
const notes = new DeliveryNotes();
const lines = data.observe?.logAttempts && new AttemptLines(log, data.observe);
const spans = telemetry && new SpanObserver(telemetry.spans, { clock: systemClock, control });
const lag = new LoopLag(systemClock);
const activity = new Activity();
const worker = new DeliveryWorker({
  store: { ...deliveryStatements(database), ...lease },
  control,
  connectors,
  clock: systemClock,
  leaseMs: data.leaseMs,
  flushesMax: Math.max(1, data.poolSize - 2),
  business: loopBusiness(),
  observer: allObservers([notes, activity, ...(lines ? [lines] : []), ...(spans ? [spans] : [])]),
  onError,
  onBreaker: (change) => logBreaker(log, change),
  onBatch: (batch) => logBatch(log, batch),
});

const reporting = setInterval(report, statsEveryMs);
port.on('message', (message: ToDelivery) => {
  if (message.kind === 'hints') worker.hint(message.hints);
  else if (message.kind === 'released') worker.released(message.batch);
  else if (message.kind === 'remove') lease.removeWorker(message.workerId).catch(onError);
  else if (message.kind === 'stop') void stop(message.deadlineMs);
});
worker.start();
const lanes = new LaneReporter({
  clock: systemClock,
  store: {
    reportsWanted: () => reportsWanted(database),
    saveReport: (laneReport) => saveReport(database, laneReport),
  },
  worker,
  activity,
});
const telling = new Loop({
  everyMs: statsEveryMs,
  clock: systemClock,
  runOnce: () => lanes.runOnce(),
  onError,
});
// Whoever started it knows from then on which worker this is: it may die within its first second.
report();
post({ kind: 'started' });

function report(): void {
  const stats = worker.stats();
  const routeNames: Record<number, string> = {};
  const outcomes = notes.outcomes();
  for (const { routeId } of [...stats.lanes, ...stats.routes, ...outcomes]) {
    routeNames[routeId] ??= control.routeById(routeId)?.name ?? `route ${routeId}`;
  }
  const taken = notes.take();
  const pools = [
    { pool: 'delivery', ...database.use() },
    { pool: 'lease', ...leaseDatabase.use() },
  ];
  const loopLagSeconds = lag.seconds;
  const held = bitmapOf(limits.shards, worker.heldShards());
  const present = { stats, held, routeNames, outcomes, pools, loopLagSeconds };
  const telemetryDropped = telemetry?.takeDropped() ?? 0;
  post({ kind: 'stats', run, ...present, telemetryDropped, notes: taken, faults: faults.take() }, [
    taken.attempts.buffer,
  ]);
}

async function stop(deadlineMs: number): Promise<void> {
  await worker.stop({ deadlineMs });
  clearInterval(reporting);
  lag.stop();
  await telling.stop();
  report();
  await Promise.allSettled([control.stop(), database.close(), leaseDatabase.close()]);
  await telemetry?.close();
  post({ kind: 'stopped' });
  port?.close();
}

function post(message: FromDelivery, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function ownershipOf(statements: ReturnType<typeof deliveryStatements>) {
  const { registerWorker, beatWorker, leaveWorker, removeWorker, removeSilentWorker } = statements;
  const { readOwners, readFreeShards, claimShards, releaseShards, readOwnedShards } = statements;
  return {
    ...{ registerWorker, beatWorker, leaveWorker, removeWorker, removeSilentWorker },
    ...{ readOwners, readFreeShards, claimShards, releaseShards, readOwnedShards },
  };
}
