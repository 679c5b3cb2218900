import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { until } from '../delivery/mill.ts';
import { freePorts } from '../support/free-port.ts';
import { type Haproxy, startHaproxy } from '../support/haproxy.ts';
import { keepPosting, type Posting } from '../support/keep-posting.ts';
import { type MillraceProcess, startProcess } from '../support/start-process.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { type Arrival, type Waits, waitsOf } from './waits.ts';
import { type OwnershipWatch, watchOwnership } from './watch-ownership.ts';

export interface RollingReport extends Waits {
  /** Messages that were answered with a 2xx, and what was answered to the others. */
  accepted: number;
  failures: readonly string[];
  received: number;
  distinct: number;
  /** Exit statuses of the servers, in the order in which they were stopped. */
  statuses: (number | null)[];
  /** Claims of shards, and how many there must be: each that leaves goes once, each that comes takes its part. */
  moves: { made: number; needed: number };
  /** Shards whose epoch was seen with two owners. */
  ownedTwice: string[];
}

const serversUsual = 4;
/** Longer than HAProxy takes to see that a server is not ready. */
const shutdownDelayMs = 3_000;
const settleMs = 120_000;
const arrivalsKept = 1_000_000;
const arrivalsPage = 10_000;
/** Whether or not those before are answered. */
const singlesEveryMs = 20;
const adminKey = 'rolling-administrator-key-0123456789';

/**
 * Four servers behind HAProxy under a flood beside single messages: each is restarted in turn, one is added, one
 * removed, as often as `rounds` says. The next step comes when the shards are spread evenly.
 */
export async function runRolling(settings: {
  databaseUrl: string;
  directory: string;
  rounds: number;
  say: (line: string) => void;
}): Promise<RollingReport> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    return await roll(await compose(settings, stops), settings);
  } finally {
    for (const stop of stops.reverse()) await stop().catch(() => {});
  }
}

interface Ground {
  sinks: { flood: MillraceProcess; single: MillraceProcess };
  proxy: Haproxy;
  ownership: OwnershipWatch;
  posting: Posting;
  /** By their place behind the proxy. */
  servers: (MillraceProcess | undefined)[];
  start(place: number): Promise<MillraceProcess>;
}

async function compose(
  { databaseUrl, directory }: { databaseUrl: string; directory: string },
  stops: (() => Promise<unknown>)[],
): Promise<Ground> {
  const startSink = async (...args: string[]) => {
    const sink = await startProcess(['sink', '--port', '0', ...args]);
    stops.push(() => sink.stop());
    return sink;
  };
  const sinks = {
    flood: await startSink(),
    single: await startSink('--arrivals', String(arrivalsKept)),
  };
  const [port, ...serverPorts] = await freePorts(serversUsual + 2);
  const proxy = await startHaproxy({ directory, port: port!, serverPorts });
  stops.push(() => proxy.stop());
  const servers: Ground['servers'] = [];
  const start = async (place: number) => {
    const data = join(directory, `server-${place}`);
    await mkdir(data, { recursive: true });
    const server = await startProcess(
      [
        ...['serve', '--database', databaseUrl, '--data', data, '--port', String(serverPorts[place])],
        ...['--shutdown-delay-ms', String(shutdownDelayMs), '--log-level', 'error', '--stop-with-parent'],
      ],
      { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: testSecretKey },
    );
    servers[place] = server;
    return server;
  };
  stops.push(() => Promise.all(servers.map((server) => server?.kill())));
  for (let place = 0; place < serversUsual; place++) await start(place);
  await setRoutes(servers[0]!, sinks);
  await until(async () => await all(servers, (server) => knowsRoutes(server!, sinks)), settleMs);
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  stops.push(() => pool.end());
  const ownership = watchOwnership(pool);
  stops.push(() => ownership.stop());
  await until(() => ownership.isEven(serversUsual), settleMs);
  await until(async () => (await fetch(`${proxy.url}/livez`)).ok, settleMs);
  const posting = keepPosting({ key: adminKey, targets: [proxy], singleRoute: 'single', singlesEveryMs });
  stops.push(() => posting.stop());
  return { sinks, proxy, ownership, posting, servers, start };
}

async function roll(
  ground: Ground,
  { rounds, say }: { rounds: number; say: (line: string) => void },
): Promise<RollingReport> {
  const { ownership, posting, servers, start } = ground;
  const statuses: (number | null)[] = [];
  let count = serversUsual;
  let needed = 0;
  const even = () => until(() => ownership.isEven(count), settleMs);
  const leave = async (place: number) => {
    needed += (await ownership.shardsByPid()).get(servers[place]!.pid) ?? 0;
    count--;
    statuses.push(await servers[place]!.stop());
    servers[place] = undefined;
    await even();
  };
  const come = async (place: number) => {
    count++;
    const { pid } = await start(place);
    await even();
    needed += (await ownership.shardsByPid()).get(pid) ?? 0;
  };
  const before = await ownership.claims();
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < serversUsual; place++) {
      await leave(place);
      await come(place);
      say(`restarted server ${place + 1}: ${posting.accepted} accepted, ${posting.failures.length} not`);
    }
    await come(serversUsual);
    await leave(serversUsual);
    say(`added a server and removed it: ${posting.accepted} accepted, ${posting.failures.length} not`);
  }
  const made = (await ownership.claims()) - before;
  await posting.stop();
  const ledgers = await delivered(ground);
  return {
    ...{ accepted: posting.accepted, failures: posting.failures, ...ledgers, statuses },
    ...{ moves: { made, needed }, ownedTwice: ownership.ownedTwice() },
    ...waitsOf(await arrivalsOf(ground), posting.singles),
  };
}

async function delivered({ sinks, posting }: Ground): Promise<Pick<RollingReport, 'received' | 'distinct'>> {
  const sum = async () => {
    const pages = await Promise.all(
      Object.values(sinks).map(async ({ url }) => (await fetch(`${url}/ledger`)).json()),
    );
    const ledgers = pages as { received: number; distinct: number }[];
    return {
      received: ledgers.reduce((all, { received }) => all + received, 0),
      distinct: ledgers.reduce((all, { distinct }) => all + distinct, 0),
    };
  };
  await until(async () => (await sum()).distinct >= posting.accepted, settleMs);
  return await sum();
}

async function arrivalsOf({ sinks }: Ground): Promise<Arrival[]> {
  const arrivals: Arrival[] = [];
  for (let after = 0; ; ) {
    const answer = await fetch(`${sinks.single.url}/arrivals?after=${after}&limit=${arrivalsPage}`);
    const page = (await answer.json()) as { data: Arrival[]; next: number };
    if (page.data.length === 0) return arrivals;
    arrivals.push(...page.data);
    after = page.next;
  }
}

async function setRoutes(server: MillraceProcess, sinks: Ground['sinks']): Promise<void> {
  for (const [name, { url }] of Object.entries(sinks)) {
    const route = { connector: 'http', url: `${url}/`, allowPrivate: true };
    const answer = await fetch(`${server.url}/v1/routes/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...route, ...(name === 'flood' && { batch: { max: 100 } }) }),
    });
    if (!answer.ok) throw new Error(`could not set the route ${name}: ${await answer.text()}`);
  }
}

/** The others look for a route that they do not know; on a starved machine that may be overdue. An empty batch shows it. */
async function knowsRoutes(server: MillraceProcess, sinks: Ground['sinks']): Promise<boolean> {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' };
  const begin = (route: string) =>
    fetch(`${server.url}/v1/batches`, { method: 'POST', headers, body: JSON.stringify({ route }) });
  return await all(Object.keys(sinks), async (name) => (await begin(name)).status === 201);
}

async function all<Item>(items: readonly Item[], holds: (item: Item) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(items.map(holds))).every(Boolean);
}
