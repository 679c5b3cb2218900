import { access, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ensureAdminKey } from './api/ensure-admin-key.ts';
import { findSecrets } from './composition/find-secrets.ts';
import { listen, listenForProbes } from './composition/listen.ts';
import { openPool, Pools } from './composition/open-pool.ts';
import { openReads } from './composition/open-reads.ts';
import {
  deliverySettings,
  type ServerProcesses,
  sendsEndMs,
  startDeliveries,
} from './composition/start-deliveries.ts';
import { startEvents } from './composition/start-events.ts';
import { startFigures } from './composition/start-figures.ts';
import { startOwnDatabase } from './composition/start-own-database.ts';
import { openStatistics } from './composition/start-statistics.ts';
import { startUpkeep } from './composition/start-upkeep.ts';
import { telemetrySettings } from './composition/telemetry-settings.ts';
import { ConfigError } from './config/config-error.ts';
import { type Config, describeSource } from './config/resolve-config.ts';
import { withoutSecrets } from './config/without-secrets.ts';
import { type ServerChannel, serveDeliveries } from './delivery/processes/serve-deliveries.ts';
import { makeDataDirectory } from './embedded/make-directory.ts';
import { ReceiptIntake } from './events/receipts/receipt-intake.ts';
import { AcceptedCounts } from './intake/accepted-counts.ts';
import { createIntake } from './intake/intake.ts';
import { checkPort } from './lib/check-port.ts';
import { systemClock } from './lib/clock.ts';
import { packageVersion } from './lib/package-root.ts';
import { StopStack } from './lib/stop-stack.ts';
import { unlessAborted } from './lib/unless-aborted.ts';
import { faultWarning } from './observe/fault-limit.ts';
import { createLog, type Logger } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import type { Telemetry } from './observe/otlp/open-telemetry.ts';
import { awaitDatabase } from './services/await-database.ts';
import { reportIntake } from './services/report-intake.ts';
import { traceIntake } from './services/trace-intake.ts';
import { createControlCache } from './store/control/control-cache.ts';
import { createIdMint } from './store/id-mint.ts';
import { migrate } from './store/migrate.ts';
import { watchSpace } from './store/watch-space.ts';

export interface RunningServer {
  /** Absent for a process that listens nowhere: one that only delivers, unless it is given a port. */
  url?: string;
  /** There is no API there: /livez, /readyz and /metrics alone. */
  probesOnly?: true;
  /** An administrator key that was made just now, to be shown this once; it is in `admin.key` as well. */
  madeAdminKey?: string;
  /** Takes no new request, ends uploads, lets sends end, flushes, gives the shards back. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Composes and starts a server. When a part cannot start, or `signal` is raised meanwhile, those before it are stopped
 * again. `warnings` go into its log first.
 */
export function runServer(
  config: Config,
  { signal, warnings, ...processes }: ServerProcesses & { signal: AbortSignal; warnings: readonly string[] },
): Promise<RunningServer> {
  return run(config, {
    signal,
    start(parts) {
      for (const warning of warnings) parts.log.warn(warning);
      return startParts(config, { ...parts, processes, signal });
    },
  });
}

/** A further process of a server: it delivers, and leaves everything else to the one that started it. */
export function runDeliveries(
  config: Config,
  { server, signal }: { server: ServerChannel; signal: AbortSignal },
): Promise<RunningServer> {
  return run(config, {
    signal,
    async start({ log, stops }) {
      const { database: databaseUrl, secretKey: secretKeys } = config;
      if (databaseUrl === undefined || secretKeys === undefined) {
        throw new Error('a further process is given the database and the secret key by its server');
      }
      const settings = deliverySettings({ databaseUrl, secretKeys }, { config, log });
      const delivery = await serveDeliveries(settings, server);
      stops.push(() => delivery.stop({ deadlineMs: sendsEndMs }));
      return {};
    },
  });
}

interface StartParts {
  log: Logger;
  stops: StopStack;
  /** Where a collector is named. */
  telemetry?: Telemetry;
}

async function run(
  config: Config,
  {
    signal,
    start,
  }: {
    signal: AbortSignal;
    start: (parts: StartParts) => Promise<Omit<RunningServer, 'stop'>>;
  },
): Promise<RunningServer> {
  const telemetry = await openTelemetry(config);
  const log = createLog({ level: config.logLevel, also: telemetry });
  const couldNotStop = (error: unknown) => log.error({ err: error }, 'could not stop cleanly');
  const stops = new StopStack(couldNotStop);
  try {
    const started = await unlessAborted(start({ log, stops, ...(telemetry && { telemetry }) }), signal);
    log.info({ address: started.url, ...describeServer(config) }, 'started');
    return {
      ...started,
      async stop() {
        log.info('stopping: requests and sends in flight end, and shards are handed over');
        await stops.stop();
        log.info('stopped');
        await telemetry?.close();
      },
    };
  } catch (error) {
    await stops.stop().catch(couldNotStop);
    await telemetry?.close();
    throw error;
  }
}

/** What it is and where its data are, without a secret. */
function describeServer({ roles, processes, data, database }: Config) {
  const databaseUrl = database === undefined ? 'embedded' : withoutSecrets(database).url;
  return { version: packageVersion(), roles, processes, data: resolve(data), database: databaseUrl };
}

async function startParts(
  config: Config,
  {
    log,
    stops,
    processes,
    signal,
    telemetry,
  }: StartParts & { processes: ServerProcesses; signal: AbortSignal },
): Promise<Omit<RunningServer, 'stop'>> {
  await useDataDirectory(config);
  const hasApi = config.roles.includes('api');
  // A server that only delivers may stand beside one that has the usual port: it listens where it is told to.
  const hasProbes = hasApi || config.sources.port.kind !== 'default';
  // A port that another program has is found before a database is made for a server that cannot listen.
  if (hasProbes) await checkPort(config);
  const databaseUrl = config.database ?? (await startOwnDatabase(config, { log, stops, signal }));
  const patiently = awaitDatabase({
    ...{ clock: systemClock, signal, waitMs: config.databaseWaitMs },
    onWait: (what, fault) => log.warn({ fault }, `waiting for the database: ${what}`),
  });
  const onWait = (what: string) => log.warn(`waiting for the database: ${what}`);
  const applied = await patiently(() => migrate({ connectionString: databaseUrl, onWait }));
  if (applied.length > 0) log.info({ migrations: applied }, 'schema brought up to date');

  const metrics = createMetrics();
  if (telemetry) metrics.readTelemetryDropped(telemetry.takeDropped);
  const pools = new Pools();
  const intakePool = { config, name: 'intake', poolSize: config.intakeConnections, log, pools, stops };
  const space = watchSpace(openPool(databaseUrl, intakePool), systemClock);
  const { database: intakeDatabase, full } = space;
  const { keys: secretKeys, secrets } = await patiently(() => findSecrets(intakeDatabase, { config, log }));
  const delivery = config.roles.includes('deliver')
    ? await startDeliveries({ databaseUrl, secretKeys }, { config, log, metrics, stops, processes })
    : undefined;
  startFigures(databaseUrl, { config, log, metrics, pools, stops, delivery, full });
  const range = await patiently(() => startUpkeep(space.inPlace, { config, log, stops }));
  const mint = createIdMint({ nowMs: range.nowMs, range: range.current });
  const hasEvents = config.roles.includes('events');
  const statistics = openStatistics({ config, log, pools, stops });
  const deliveries = delivery && { deliveries: delivery };
  const events = { config, log, metrics, pools, stops, secrets, mint, patiently, statistics, ...deliveries };
  if (!hasApi) {
    if (hasEvents) await startEvents(databaseUrl, events);
    if (!hasProbes) return {};
    const url = await listenForProbes(config, { database: intakeDatabase, full, log, metrics, stops });
    return { url, probesOnly: true };
  }

  const database = openPool(databaseUrl, {
    config,
    name: 'api',
    poolSize: config.readConnections,
    log,
    pools,
    stops,
  });
  const control = createControlCache({
    database,
    secrets,
    onError: faultWarning(log, 'control poll failed'),
  });
  await patiently(() => control.start());
  stops.push(() => control.stop());
  if (hasEvents) await startEvents(databaseUrl, { ...events, control });
  const accepted = new AcceptedCounts();
  const intake = createIntake({
    accepted,
    database: intakeDatabase,
    clock: systemClock,
    mint,
    nowMs: range.nowMs,
    connections: config.intakeConnections,
    retentionDays: config.retentionDays,
    control,
    ...(telemetry && { onChunks: traceIntake(telemetry.spans, control) }),
    hints: delivery ?? { push() {}, released() {} },
    metrics,
    onError: faultWarning(log, 'the progress of an upload could not be noted; it is tried again'),
  });
  stops.push(() => intake.stop());
  const intakeReport = reportIntake({
    ...{ database, accepted, clock: systemClock },
    onError: faultWarning(log, 'what is taken in could not be told; it is tried again'),
  });
  intakeReport.start();
  stops.push(() => intakeReport.stop());
  const receipts = new ReceiptIntake({ database: intakeDatabase, clock: systemClock });
  stops.push(() => receipts.settle());
  const adminKeyAt = {
    ...(config.adminKey !== undefined && { key: config.adminKey }),
    path: join(config.data, 'admin.key'),
  };
  const adminKey = await patiently(() => ensureAdminKey(database, adminKeyAt));
  if (adminKey.kind === 'present') await tellAbsentKey(config, log);
  await patiently(() => control.refresh());
  const replicas = await patiently(() => openReads(config, { database, databaseUrl, log, metrics, stops }));
  const api = { database, full, control, secrets, intake, receipts, log, metrics, stops };
  const url = await listen(config, { ...api, ...replicas, statistics: statistics?.database });
  return { url, ...(adminKey.kind === 'made' && { madeAdminKey: adminKey.key }) };
}

/** Nothing of it is loaded where no collector is named. */
async function openTelemetry(config: Config): Promise<Telemetry | undefined> {
  const settings = telemetrySettings(config);
  return settings && (await import('./observe/otlp/open-telemetry.ts')).openTelemetry(settings, 'server');
}

async function useDataDirectory({ data, sources }: Config): Promise<void> {
  const path = resolve(data);
  const place = `data (${describeSource(sources.data)})`;
  const mend = 'name another directory with --data';
  let isDirectory: boolean;
  try {
    await makeDataDirectory(path);
    isDirectory = (await stat(path)).isDirectory();
  } catch (error) {
    const { message } = error as Error;
    const text = `${place}: the directory ${path} cannot be made (${message}): ${mend}`;
    throw new ConfigError('invalid_option', text, { cause: error });
  }
  if (isDirectory) return;
  throw new ConfigError('invalid_option', `${place}: ${path} is a file, not a directory: ${mend}`);
}

/** The clients on this machine look for `admin.key`, which a new data directory on an old database has not got. */
async function tellAbsentKey(config: Config, log: Logger): Promise<void> {
  const path = join(config.data, 'admin.key');
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  log.warn(
    { path },
    'the database has an administrator key already, so none was made and there is no admin.key here: use that key ' +
      '(MILLRACE_KEY), or start once with MILLRACE_ADMIN_KEY set to a new one, which then works',
  );
}
