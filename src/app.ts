import type { ChildProcess } from 'node:child_process';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { clientLimits } from './api/client-limits.ts';
import type { ApiContext, ApiInstance } from './api/context.ts';
import { writesElsewhere } from './api/elsewhere/writes-elsewhere.ts';
import { ensureAdminKey } from './api/ensure-admin-key.ts';
import { createKeyFreer } from './api/key-freer.ts';
import { createLifecycle } from './api/lifecycle.ts';
import { buildProbeServer, buildServer, stopServer } from './api/server.ts';
import { connectionsOf } from './config/connections-of.ts';
import type { Config } from './config/resolve-config.ts';
import { withoutSecrets } from './config/without-secrets.ts';
import { connectors } from './connectors/registry.ts';
import { startDeliveryFleet } from './delivery/processes/delivery-fleet.ts';
import type { DeliveryHost } from './delivery/processes/delivery-host.ts';
import { type ServerChannel, serveDeliveries } from './delivery/processes/serve-deliveries.ts';
import { keepEmbedded } from './embedded/keep-embedded.ts';
import { makeDirectory } from './embedded/make-directory.ts';
import { createIntake, type Intake } from './intake/intake.ts';
import { checkPort } from './lib/check-port.ts';
import { systemClock } from './lib/clock.ts';
import { StopStack } from './lib/stop-stack.ts';
import { createLog, type Logger } from './observe/log.ts';
import { logHost } from './observe/log-host.ts';
import { createMetrics, type Metrics } from './observe/metrics.ts';
import { awaitDatabase } from './services/await-database.ts';
import { finishClosings } from './services/finish-closings.ts';
import { keepPartitions } from './services/keep-partitions.ts';
import { keepReplicas } from './services/keep-replicas.ts';
import { type OpenedSecrets, openSecrets } from './services/open-secrets.ts';
import type { Service } from './services/service.ts';
import { watchTransactions } from './services/watch-transactions.ts';
import { createControlCache } from './store/control/control-cache.ts';
import { type Database, openDatabase } from './store/database.ts';
import { createDatabaseClock } from './store/database-clock.ts';
import { createIdMint } from './store/id-mint.ts';
import { migrate } from './store/migrate.ts';
import { partitionRange } from './store/partitions.ts';
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

/** Requests in flight get this long to end before they are cut. */
const requestsEndMs = 5_000;
/** Sends in flight get this long for their answer. */
const sendsEndMs = 10_000;

export interface ServerProcesses {
  /** Starts a further process of this server, which calls `runDeliveries` with this database. */
  spawn: (access: DatabaseAccess) => ChildProcess;
}

export interface DatabaseAccess {
  databaseUrl: string;
  /** The keys that open the secrets in it. */
  secretKeys: string;
}

/**
 * Composes and starts a server. When a part cannot start, or `signal` is raised meanwhile, those before it are stopped
 * again.
 */
export function runServer(
  config: Config,
  { signal, ...processes }: ServerProcesses & { signal: AbortSignal },
): Promise<RunningServer> {
  return run(config, { signal, start: (parts) => startParts(config, { ...parts, processes, signal }) });
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

async function run(
  config: Config,
  {
    signal,
    start,
  }: {
    signal: AbortSignal;
    start: (parts: { log: Logger; stops: StopStack }) => Promise<Omit<RunningServer, 'stop'>>;
  },
): Promise<RunningServer> {
  const log = createLog({ level: config.logLevel });
  const stops = new StopStack();
  try {
    const started = await unlessAborted(start({ log, stops }), signal);
    log.info({ address: started.url, roles: config.roles, processes: config.processes }, 'started');
    return {
      ...started,
      async stop() {
        await stops.stop();
        log.info('stopped');
      },
    };
  } catch (error) {
    await stops.stop().catch((stopError: unknown) => log.error({ err: stopError }, 'could not stop cleanly'));
    throw error;
  }
}

/** Not every step of a start can be called off: one that hangs is left behind. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  let giveUp = () => {};
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function startParts(
  config: Config,
  {
    log,
    stops,
    processes,
    signal,
  }: { log: Logger; stops: StopStack; processes: ServerProcesses; signal: AbortSignal },
): Promise<Omit<RunningServer, 'stop'>> {
  await makeDirectory(resolve(config.data));
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
  const applied = await patiently(() => migrate({ connectionString: databaseUrl }));
  if (applied.length > 0) log.info({ migrations: applied }, 'schema brought up to date');

  const metrics = createMetrics();
  const intakePool = { config, name: 'intake', poolSize: config.intakeConnections, log, stops };
  const { database: intakeDatabase, full } = watchSpace(openPool(databaseUrl, intakePool), systemClock);
  const { keys: secretKeys, secrets } = await patiently(() => findSecrets(intakeDatabase, { config, log }));
  const delivery = config.roles.includes('deliver')
    ? await startDeliveries({ databaseUrl, secretKeys }, { config, log, metrics, stops, processes })
    : undefined;
  const range = await patiently(() => startUpkeep(intakeDatabase, { config, log, stops }));
  if (!hasApi && !hasProbes) return {};
  if (!hasApi) {
    const url = await listenForProbes(config, { database: intakeDatabase, full, log, metrics, stops });
    return { url, probesOnly: true };
  }

  const database = openPool(databaseUrl, {
    config,
    name: 'api',
    poolSize: config.readConnections,
    log,
    stops,
  });
  const control = createControlCache({
    database,
    secrets,
    onError: (err) => log.warn({ err }, 'control poll failed'),
  });
  await patiently(() => control.start());
  stops.push(() => control.stop());
  const intake = createIntake({
    database: intakeDatabase,
    clock: systemClock,
    mint: createIdMint({ nowMs: range.nowMs, range: range.current }),
    nowMs: range.nowMs,
    connections: config.intakeConnections,
    retentionDays: config.retentionDays,
    control,
    hints: delivery ?? { push() {}, reread() {} },
    metrics,
    onError: (err) => log.warn({ err }, 'the progress of an upload could not be noted; it is tried again'),
  });
  stops.push(() => intake.stop());
  const adminKeyAt = {
    ...(config.adminKey !== undefined && { key: config.adminKey }),
    path: join(config.data, 'admin.key'),
  };
  const adminKey = await patiently(() => ensureAdminKey(database, adminKeyAt));
  if (adminKey.kind === 'present') await tellAbsentKey(config, log);
  await patiently(() => control.refresh());
  const replicas = await patiently(() => openReads(config, { database, databaseUrl, log, metrics, stops }));
  const api = { database, full, control, secrets, intake, log, metrics, stops };
  const url = await listen(config, { ...api, ...replicas });
  return { url, ...(adminKey.kind === 'made' && { madeAdminKey: adminKey.key }) };
}

async function startOwnDatabase(
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

function openPool(
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

/** The keys of the secrets that are stored, and what tells of them: a key that was made is said once. */
async function findSecrets(
  database: Database,
  { config, log }: { config: Config; log: Logger },
): Promise<OpenedSecrets> {
  const path = join(config.data, 'secret.key');
  const opened = await openSecrets(database, {
    ...(config.secretKey !== undefined && { configured: config.secretKey }),
    path,
  });
  const { made, sealed } = opened;
  if (made) {
    log.info(
      { path },
      'made the key that the secrets of routes are encrypted with: keep a copy, also apart from backups',
    );
  }
  if (sealed.older.length > 0) log.info({ routes: sealed.older }, 'encrypted by the new key');
  if (sealed.plain.length > 0) {
    log.warn(
      { routes: sealed.plain },
      'encrypted secrets that were plain: old backups, the WAL and, until VACUUM FULL route, the data files still have them',
    );
  }
  return opened;
}

async function startDeliveries(
  access: DatabaseAccess,
  parts: { config: Config; log: Logger; metrics: Metrics; stops: StopStack; processes: ServerProcesses },
): Promise<DeliveryHost> {
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

function deliverySettings(access: DatabaseAccess, { config, log }: { config: Config; log: Logger }) {
  return {
    ...access,
    poolSize: config.deliveryConnections,
    namedStatements: config.namedStatements,
    leaseMs: config.leaseMs,
    logLevel: config.logLevel,
    onFailure: (err: unknown) => log.fatal({ err }, 'deliveries failed and are started again'),
  };
}

/** Starts what keeps the database in shape; answers the time and the days that ids may carry. */
async function startUpkeep(
  database: Database,
  { config, log, stops }: { config: Config; log: Logger; stops: StopStack },
): Promise<{ nowMs: () => number; current: () => { fromMs: number; toMs: number } }> {
  const databaseClock = await createDatabaseClock(database, systemClock);
  let range = await partitionRange(database);
  const onError = (err: unknown) => log.warn({ err }, 'upkeep failed; it is tried again');
  const services: Service[] = [
    keepPartitions({
      database,
      databaseClock,
      clock: systemClock,
      retentionDays: config.retentionDays,
      onRange: (fresh) => {
        range = fresh;
      },
      onDropped: (partition) => log.info({ partition }, 'expired partition dropped'),
      onError,
    }),
    finishClosings({ database, clock: systemClock, onError }),
    watchTransactions({
      database,
      clock: systemClock,
      onError,
      onCulprit: ({ transaction, deadRows }) =>
        log.warn(
          { ...transaction, deadRows },
          `a transaction of process ${transaction.pid} of the database holds back the cleaning of the table pending`,
        ),
    }),
  ];
  for (const service of services) {
    service.start();
    stops.push(() => service.stop());
  }
  return { nowMs: () => databaseClock.nowMs(), current: () => range };
}

/** Replicas answer reads, where there are any. */
async function openReads(
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

async function listen(
  config: Config,
  parts: Pick<ApiContext, 'database' | 'full' | 'control' | 'secrets' | 'log' | 'metrics' | 'replicas'> & {
    intake: Intake;
    stops: StopStack;
  },
): Promise<string> {
  const { intake, stops, ...rest } = parts;
  const lifecycle = createLifecycle();
  const keyFreer = createKeyFreer({ clock: systemClock, log: rest.log, signal: lifecycle.signal });
  const context: ApiContext = {
    ...{ ...rest, intake, connectors, lifecycle, keyFreer, clientLimits },
    requestsPerSecond: config.keyRequestsPerSecond,
    ...writesElsewhere(config),
    ...(await readTls(config)),
  };
  const app = buildServer(context);
  stops.push(async () => {
    await lifecycle.leave({ delayMs: config.shutdownDelayMs, clock: systemClock });
    await intake.uploads.stop();
    await stopServer(app, { context, deadlineMs: requestsEndMs });
  });
  const url = await listenAt(app, config);
  await announce(url, { config, stops });
  return url;
}

/** Without an API: what supervisors and monitoring ask for. */
async function listenForProbes(
  config: Config,
  { stops, ...parts }: Pick<ApiContext, 'database' | 'full' | 'log' | 'metrics'> & { stops: StopStack },
): Promise<string> {
  const context = { ...parts, lifecycle: createLifecycle(), clientLimits, ...(await readTls(config)) };
  const app = buildProbeServer(context);
  // A supervisor that finds it silent while its last sends end would kill it.
  stops.pushLast(() => stopServer(app, { context, deadlineMs: requestsEndMs }));
  stops.push(async () => context.lifecycle.beginStop());
  return await listenAt(app, config);
}

async function listenAt(app: ApiInstance, config: Config): Promise<string> {
  await app.listen({ port: config.port, host: config.host });
  const address = app.server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return `${config.tlsCert ? 'https' : 'http'}://${host}:${port}`;
}

async function readTls(config: Config): Promise<{ tls?: { cert: string; key: string } }> {
  if (config.tlsCert === undefined || config.tlsKey === undefined) return {};
  const [cert, key] = await Promise.all([readFile(config.tlsCert, 'utf8'), readFile(config.tlsKey, 'utf8')]);
  return { tls: { cert, key } };
}

/** Client commands on this machine find the server by this file, `doctor` and `migrate` its database. */
async function announce(url: string, { config, stops }: { config: Config; stops: StopStack }): Promise<void> {
  const path = join(config.data, 'server.json');
  const database = config.database && withoutSecrets(config.database);
  await writeFile(path, `${JSON.stringify({ url, pid: process.pid, ...(database && { database }) })}\n`);
  stops.push(() => rm(path, { force: true }));
}
