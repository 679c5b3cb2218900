import { createWriteStream } from 'node:fs';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type KeptServer, keepEmbedded } from '../../src/embedded/keep-embedded.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { type MillraceProcess, startProcess } from '../support/start-process.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { HandoverWatch } from './handover-watch.ts';

export const processNames = ['api', 'worker-1', 'worker-2'] as const;
export type ProcessName = (typeof processNames)[number];
export const routeNames = ['resend', 'hold'] as const;
export type RouteName = (typeof routeNames)[number];

export const adminKey = 'chaos-administrator-key-0123456789';

/** Long enough that a machine with other work does not let a lease run out that nobody touched. */
export const leaseMs = 4_000;
/** Arrivals that a sink remembers: more than are read late. */
const arrivalsKept = 200_000;
/** Long enough that requests are on their way at any moment: of `hold` they are few and large. */
const sinkLatencyMs: Record<RouteName, number> = { resend: 15, hold: 100 };
/** Refused before the ledger takes them, so that retries are a part of it. */
const sinkFailRate = 0.01;
const startsMax = 20;
/** Requests of a route at once, and the messages of one: what a worker has begun and a sink has not seen. */
export const routeConcurrency = 8;
/** Slow enough that there is always a flood to be disturbed. */
const ratePerSecond: Record<RouteName, number> = { resend: 500, hold: 1_000 };
export const batchMax: Record<RouteName, number> = { resend: 1, hold: 20 };

/**
 * An installation of separate processes: a database, a server that takes requests, two that deliver, and a simulated
 * provider for each of two routes. Every way from one to another can be cut.
 */
export interface Installation {
  databaseUrl: string;
  apiUrl: string;
  /** Where each sink is, past the proxy that the workers go by. */
  sinkUrls: Record<RouteName, string>;
  /** What is kept of the requests that passed the proxy before each. */
  handovers: Record<RouteName, HandoverWatch>;
  pidOf(name: ProcessName): number | undefined;
  postmasterPid(): Promise<number>;
  /** kill -9; the process is started again by `revive`. */
  kill(name: ProcessName): Promise<void>;
  revive(name: ProcessName): Promise<void>;
  signal(name: ProcessName, signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** The ports from which the database sees the connections of a process. */
  databasePorts(name: ProcessName): number[];
  cutDatabase(name: ProcessName): number;
  cutSinks(): number;
  /** Ends all of it in order; answers the exit status of each server. May be called twice. */
  stop(): Promise<(number | null)[]>;
}

export async function startInstallation({
  directory,
  seed,
}: {
  directory: string;
  seed: number;
}): Promise<Installation> {
  await mkdir(directory, { recursive: true });
  // Root's PostgreSQL runs as another user, who has to pass.
  await chmod(directory, 0o711);
  const log = createWriteStream(join(directory, 'processes.log'), { flags: 'a' });
  const data = join(directory, 'data');
  const database = await keepEmbedded({
    dataDir: data,
    onFault: (error) => log.write(`database: ${error.message}\n`),
  });
  const stops: (() => Promise<unknown>)[] = [() => database.stop()];
  try {
    return await compose({ directory, data, database, seed, log, stops });
  } catch (error) {
    for (const stop of stops.reverse()) await stop().catch(() => {});
    throw error;
  }
}

interface Ground {
  directory: string;
  data: string;
  database: KeptServer;
  seed: number;
  log: NodeJS.WritableStream;
  stops: (() => Promise<unknown>)[];
}

async function compose(ground: Ground): Promise<Installation> {
  const { database, stops } = ground;
  const sinks = await startSinks(ground);
  const ways = {} as Record<ProcessName, CuttingProxy>;
  for (const name of processNames) {
    ways[name] = await startCuttingProxy(database.url);
    stops.push(() => ways[name].stop());
  }
  const port = await freePort();
  const processes = new Map<ProcessName, MillraceProcess>();
  let stopped: Promise<(number | null)[]> | undefined;
  const revive = async (name: ProcessName) => {
    processes.set(name, await startServer(ground, { name, databaseUrl: ways[name].url, port }));
  };
  // The first makes the schema, and with it the secret key's check.
  for (const name of processNames) await revive(name);
  const apiUrl = processes.get('api')!.url;
  await setRoutes(apiUrl, sinks.proxies);
  return {
    databaseUrl: database.url,
    apiUrl,
    sinkUrls: sinks.urls,
    handovers: sinks.handovers,
    pidOf: (name) => processes.get(name)?.pid,
    postmasterPid: async () =>
      Number.parseInt(await readFile(join(ground.data, 'postgres', 'postmaster.pid'), 'utf8'), 10),
    async kill(name) {
      const killed = processes.get(name);
      processes.delete(name);
      await killed?.kill();
    },
    revive,
    signal: (name, signal) => void processes.get(name)?.child.kill(signal),
    databasePorts: (name) => ways[name].ports(),
    cutDatabase: (name) => ways[name].cut(),
    cutSinks: () => routeNames.reduce((sum, name) => sum + sinks.proxies[name].cut(), 0),
    stop() {
      stopped ??= stopAll([...processes.values()], stops);
      return stopped;
    },
  };
}

async function stopAll(
  servers: MillraceProcess[],
  stops: (() => Promise<unknown>)[],
): Promise<(number | null)[]> {
  const statuses = await Promise.all(servers.map((server) => server.stop()));
  for (const stop of stops.reverse()) await stop();
  return statuses;
}

async function startSinks({ seed, stops }: Ground) {
  const urls = {} as Record<RouteName, string>;
  const proxies = {} as Record<RouteName, CuttingProxy>;
  const handovers = { resend: new HandoverWatch(), hold: new HandoverWatch() };
  for (const name of routeNames) {
    const sink = await startProcess([
      ...['sink', '--port', '0', '--seed', String(seed), '--stop-with-parent'],
      ...['--latency-ms', String(sinkLatencyMs[name]), '--fail-rate', String(sinkFailRate)],
      ...['--arrivals', String(arrivalsKept), '--arrivals-batch-max', '1000'],
    ]);
    stops.push(() => sink.stop());
    urls[name] = sink.url;
    const proxy = await startCuttingProxy(sink.url, { witness: () => handovers[name].witness() });
    stops.push(() => proxy.stop());
    proxies[name] = proxy;
  }
  return { urls, proxies, handovers };
}

/** Starts until it runs, as a supervisor does: the database may be away at that moment. */
async function startServer(
  { directory, log }: Ground,
  { name, databaseUrl, port }: { name: ProcessName; databaseUrl: string; port: number },
): Promise<MillraceProcess> {
  const args = [
    ...['serve', '--database', databaseUrl, '--data', join(directory, name), '--lease-ms', String(leaseMs)],
    ...(name === 'api' ? ['--roles', 'api', '--port', String(port)] : ['--roles', 'deliver']),
    ...['--log-level', 'info', '--stop-with-parent'],
  ];
  const env = { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: testSecretKey };
  for (let start = 1; ; start++) {
    try {
      const started = await startProcess(args, env);
      started.child.stdout!.on('data', (bytes: Buffer) => log.write(`${name} ${bytes}`));
      return started;
    } catch (error) {
      log.write(`${name} did not start: ${(error as Error).message}\n`);
      if (start === startsMax) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function setRoutes(apiUrl: string, proxies: Record<RouteName, CuttingProxy>): Promise<void> {
  for (const name of routeNames) {
    const response = await fetch(`${apiUrl}/v1/routes/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ connector: 'http', url: proxies[name].url, allowPrivate: true, onUncertain: name },
        ...{ concurrency: routeConcurrency, ratePerSecond: ratePerSecond[name], timeoutMs: 30_000 },
        retry: { backoffMinMs: 50, backoffMaxMs: 1_000 },
        ...(batchMax[name] > 1 && { batch: { max: batchMax[name] } }),
      }),
    });
    if (!response.ok) throw new Error(`could not set the route ${name}: ${await response.text()}`);
  }
}
