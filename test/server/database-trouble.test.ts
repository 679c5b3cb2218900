import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/start-embedded.ts';
import { type Sink, startSink } from '../../src/sink/start-sink.ts';
import { temporaryDirectory } from '../embedded/data-directory.ts';
import { eventually } from '../embedded/eventually.ts';
import { databaseUrl } from '../support/database-url.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';
import { withFullDisk } from '../support/with-full-disk.ts';

const key = 'trouble-test-administrator-key-0123456789';
const env = { MILLRACE_ADMIN_KEY: key, MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
/** Of the lease, so that a worker which cannot renew it stops soon. */
const leaseMs = 1_000;
const recoveryMs = 60_000;
const messages = 1_500;
const arrivalsKept = 10_000;

let dataDir: string;
let postgres: EmbeddedServer;
let admin: pg.Client;
let sink: Sink;
/** Messages that were accepted one by one since the test began. */
let accepted: number;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-trouble-'));
  postgres = await startEmbedded({ dataDir });
  admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query('SET default_transaction_read_only = off');
  sink = await startSink({ port: 0, arrivals: arrivalsKept });
}, 180_000);

beforeEach(() => {
  accepted = 0;
});

afterEach(killProcesses);

afterAll(async () => {
  await sink.stop();
  await admin.end();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** A database of an ordinary role, to whom limits apply. */
async function ordinaryDatabase(): Promise<{ url: string; role: string }> {
  const role = `trouble_${randomBytes(4).toString('hex')}`;
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'trouble'`);
  await admin.query(`CREATE DATABASE ${role} OWNER ${role}`);
  const url = new URL(databaseUrl(postgres.url, role));
  url.username = role;
  url.password = 'trouble';
  return { url: url.href, role };
}

async function serve(url: string, onLine?: (line: string) => void): Promise<MillraceProcess> {
  const data = await temporaryDirectory();
  const args = ['serve', '--port', '0', '--database', url, '--data', data, '--lease-ms', String(leaseMs)];
  return await startProcess([...args, '--log-level', 'warn'], env, onLine && { onLine });
}

function call(server: MillraceProcess, method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
}

async function setRoute(server: MillraceProcess, ratePerSecond?: number): Promise<void> {
  const route = {
    connector: 'http',
    url: sink.url,
    allowPrivate: true,
    ...(ratePerSecond && { ratePerSecond }),
  };
  expect((await call(server, 'PUT', '/v1/routes/r', route)).status).toBe(201);
}

async function send(server: MillraceProcess, body = 'hello'): Promise<Response> {
  const response = await call(server, 'POST', '/v1/messages', { to: '+31612345678', route: 'r', body });
  if (response.status === 202) accepted++;
  return response;
}

async function flood(server: MillraceProcess): Promise<void> {
  const body = Array.from({ length: messages }, (_, n) => ({ to: `+3161${1_000_000 + n}`, body: 'flood' }));
  expect((await call(server, 'POST', '/v1/batches?route=r', body)).status).toBe(201);
}

/** What it says of a write, and of itself, names the trouble and when to ask again. */
async function refuses(server: MillraceProcess, trouble: RegExp): Promise<void> {
  const isNamed = async (asking: Promise<Response>) => {
    const response = await asking;
    const text = await response.text();
    if (response.status === 503) expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    return response.status === 503 && trouble.test(text);
  };
  await eventually('a write is refused', () => isNamed(send(server)), recoveryMs);
  await eventually('it says that it is not ready', () => isNamed(call(server, 'GET', '/readyz')), recoveryMs);
  expect((await call(server, 'GET', '/livez')).status).toBe(200);
}

/** Nothing new arrives for two leases. */
async function deliveriesStop(): Promise<void> {
  let [arrived, sinceMs] = [-1, 0];
  await eventually(
    'deliveries stop',
    () => {
      const { received } = sink.ledger();
      if (received !== arrived) [arrived, sinceMs] = [received, performance.now()];
      return performance.now() - sinceMs > 2 * leaseMs;
    },
    recoveryMs,
  );
}

async function takesAgain(server: MillraceProcess): Promise<void> {
  await eventually('it takes messages again', async () => (await send(server)).status === 202, recoveryMs);
  await eventually('it is ready', async () => (await call(server, 'GET', '/readyz')).ok, recoveryMs);
}

test('while the database is read-only writes are refused and deliveries rest; then all goes on by itself', async () => {
  const { url } = await ordinaryDatabase();
  const server = await serve(url);
  await setRoute(server, 300);
  const before = sink.ledger();
  await flood(server);
  await eventually('it delivers', () => sink.ledger().received > before.received + 50, recoveryMs);
  await admin.query('ALTER SYSTEM SET default_transaction_read_only = on');
  await admin.query('SELECT pg_reload_conf()');
  onTestFinished(writable);
  await refuses(server, /read-only/);
  await deliveriesStop();
  expect(sink.ledger().received).toBeLessThan(before.received + messages);
  await writable();
  await takesAgain(server);
  const arrived = () => sink.ledger().distinct - before.distinct;
  await eventually('all have arrived', () => arrived() === messages + accepted, recoveryMs);
  expect(sink.ledger().duplicates).toBe(before.duplicates);
  expect(await server.stop()).toBe(0);
}, 240_000);

async function writable(): Promise<void> {
  await admin.query('ALTER SYSTEM RESET default_transaction_read_only');
  await admin.query('SELECT pg_reload_conf()');
}

test('without a connection left a start waits and says for what, and a server that runs refuses and recovers', async () => {
  const { url, role } = await ordinaryDatabase();
  await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
  const lines: string[] = [];
  const starting = serve(url, (line) => lines.push(line));
  const isSaid = () => lines.some((line) => /waiting for the database: .*no connection left/.test(line));
  await eventually('it says what it waits for', isSaid, recoveryMs);
  await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT -1`);
  const server = await starting;
  await setRoute(server);
  const before = sink.ledger();
  await admin.query(`ALTER DATABASE ${role} CONNECTION LIMIT 0`);
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
  await refuses(server, /no connection left/);
  await admin.query(`ALTER DATABASE ${role} CONNECTION LIMIT -1`);
  await takesAgain(server);
  isToldSparingly(lines);
  await flood(server);
  const arrived = () => sink.ledger().distinct - before.distinct;
  await eventually('all have arrived', () => arrived() === messages + accepted, recoveryMs);
  expect(await server.stop()).toBe(0);
}, 240_000);

/** The same fault of the same work every 5 s at most, without a trace; a request is told for itself. */
function isToldSparingly(lines: readonly string[]): void {
  const told = lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  const faults = told.filter(({ err, requestId }) => err?.type === 'DatabaseError' && !requestId);
  expect(faults.length).toBeGreaterThan(0);
  const atMs = new Map<string, number>();
  for (const { pid, name, msg, err, time } of faults) {
    const key = [pid, name, msg, err.code].join();
    const sinceMs = Date.parse(time) - (atMs.get(key) ?? Number.NEGATIVE_INFINITY);
    // Clocks of time and of day may differ a little.
    expect(sinceMs, key).toBeGreaterThan(4_900);
    expect(err).not.toHaveProperty('stack');
    atMs.set(key, Date.parse(time));
  }
}

test('a start that has waited long enough for its database ends with what is the matter', async () => {
  const { url, role } = await ordinaryDatabase();
  await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
  const data = await temporaryDirectory();
  const args = ['serve', '--port', '0', '--database', url, '--data', data, '--database-wait-ms', '300'];
  await expect(startProcess(args, env)).rejects.toThrow('ended with status 1');
});

withFullDisk(
  'on a full disk nothing is accepted that is not kept, and with space again all goes on without a restart',
  async ({ directory, fill, free }) => {
    const args = ['serve', '--port', '0', '--data', directory, '--lease-ms', String(leaseMs)];
    const server = await startProcess([...args, '--log-level', 'fatal'], env);
    await setRoute(server);
    const kept: string[] = [];
    const saysFull = async () => {
      const response = await send(server, randomBytes(20_000).toString('hex'));
      const text = await response.text();
      if (response.status === 202) kept.push(JSON.parse(text).messages[0].id);
      else expect([response.status, response.headers.get('retry-after')]).toEqual([503, expect.any(String)]);
      return response.status === 503 && /disk of the database is full/.test(text);
    };
    await saysFull();
    expect(kept).toHaveLength(1);
    fill();
    await eventually('it says that the disk is full', saysFull, recoveryMs);
    // For that, or because its log had no room either and the database rests.
    const isUnready = async () => (await call(server, 'GET', '/readyz')).status === 503;
    await eventually('it says that it is not ready', isUnready, recoveryMs);
    free();
    await takesAgain(server);
    const allHaveArrived = async () => {
      const arrived = await arrivals();
      return kept.every((id) => arrived.has(id));
    };
    await eventually('all that was accepted has arrived', allHaveArrived, recoveryMs);
    expect(await server.stop()).toBe(0);
  },
);

async function arrivals(): Promise<Set<string>> {
  const response = await fetch(`${sink.url}/arrivals?limit=${arrivalsKept}`);
  const { data } = (await response.json()) as { data: { id: string }[] };
  return new Set(data.map(({ id }) => id));
}
