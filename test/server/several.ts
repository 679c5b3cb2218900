import pg from 'pg';
import { expect } from 'vitest';
import type { Route } from '../../src/message/route.ts';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type MillraceProcess, startProcess } from '../support/start-process.ts';

const key = 'several-servers-administrator-key-0123456789';

export const shardsAll = 1_024;
/** For what servers do among themselves. */
export const waitMs = 60_000;

export interface Workers {
  /** Shards by the process id of their owner; those without a registered one under 0. */
  shards: Map<number, number>;
  /** The sum of all epochs: claims ever made. */
  claims: number;
}

export interface Site {
  databaseUrl: string;
  sink: MillraceProcess;
  /** The administrator's. */
  key: string;
  start(...args: string[]): Promise<MillraceProcess>;
  /** A server of another build, or in another environment; `onLine` hears its log. */
  startWith(
    build: { program?: string; onLine?: (line: string) => void; env?: Record<string, string> },
    ...args: string[]
  ): Promise<MillraceProcess>;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  workers(): Promise<Workers>;
  /** So many messages in batches of a thousand, each on shards of its own. */
  flood(server: MillraceProcess, count: number): Promise<void>;
  post(server: MillraceProcess, path: string, body: unknown): Promise<Response>;
  patch(server: MillraceProcess, path: string, body: unknown): Promise<Response>;
  put(server: MillraceProcess, path: string, body: unknown): Promise<Response>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  get(server: MillraceProcess, path: string): Promise<{ status: number; json(): Promise<any> }>;
  /** The present value of one of the server's figures, named with its labels. */
  figure(server: MillraceProcess, name: string): Promise<number>;
  ledger(): Promise<{ received: number; distinct: number; duplicates: number }>;
  close(): Promise<void>;
}

/** One database, one simulated provider behind the route `flood` if that names no other, and as many servers as a test starts. */
export async function createSite(
  route: Partial<Route> & { url?: string; batch?: { max: number } } = {},
  options: { empty?: boolean } = {},
): Promise<Site> {
  const { url: databaseUrl } = await createTestDatabase(options);
  const sink = await startProcess(['sink', '--port', '0', '--arrivals', '20000']);
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1, application_name: 'several test' });
  const secretKey = Buffer.alloc(32, 7).toString('base64');
  let routed = false;
  const site: Site = {
    databaseUrl,
    sink,
    key,
    start: (...args) => site.startWith({}, ...args),
    async startWith(build, ...args) {
      const fixed = [
        'serve',
        '--port',
        '0',
        '--database',
        databaseUrl,
        '--data',
        '/tmp',
        '--log-level',
        'warn',
      ];
      const env = { MILLRACE_ADMIN_KEY: key, MILLRACE_SECRET_KEY: secretKey, ...build.env };
      const server = await startProcess([...fixed, ...args], env, build);
      if (!routed) {
        routed = true;
        const body = { connector: 'http', url: `${sink.url}/`, allowPrivate: true, ...route };
        const made = await call(server, {
          method: 'PUT',
          path: '/v1/routes/flood',
          body: JSON.stringify(body),
        });
        expect(made.status).toBe(201);
      }
      return server;
    },
    query: async (sql, values) => (await pool.query(sql, values)).rows,
    async workers() {
      const rows = await site.query<{ pid: number; shards: number; claims: number }>(
        `SELECT coalesce(w.pid, 0) AS pid, count(*)::int AS shards, sum(o.epoch)::int AS claims
          FROM shard_owner o LEFT JOIN worker w ON w.id = o.worker GROUP BY 1`,
      );
      return {
        shards: new Map(rows.map((row) => [row.pid, row.shards])),
        claims: rows.reduce((sum, row) => sum + row.claims, 0),
      };
    },
    async flood(server, count) {
      const lines = '{"to":"+31612345678","body":"Flood"}\n'.repeat(1_000);
      for (let sent = 0; sent < count; sent += 1_000) {
        const answer = await call(server, {
          method: 'POST',
          path: '/v1/batches?route=flood',
          body: lines,
          type: 'application/x-ndjson',
        });
        expect(answer.status).toBe(201);
      }
    },
    post: (server, path, body) => call(server, { method: 'POST', path, body: JSON.stringify(body) }),
    patch: (server, path, body) => call(server, { method: 'PATCH', path, body: JSON.stringify(body) }),
    put: (server, path, body) => call(server, { method: 'PUT', path, body: JSON.stringify(body) }),
    get: (server, path) => fetch(server.url + path, { headers: { authorization: `Bearer ${key}` } }),
    async figure(server, name) {
      const page = await (await fetch(`${server.url}/metrics`)).text();
      const line = page.split('\n').find((each) => each.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length));
    },
    async ledger() {
      return (await (await fetch(`${sink.url}/ledger`)).json()) as Awaited<ReturnType<Site['ledger']>>;
    },
    async close() {
      await pool.end();
      await sink.stop();
    },
  };
  return site;
}

/** Waits until the processes own all shards between them, evenly. */
export async function shared(at: Site, pids: number[]): Promise<void> {
  await until(async () => {
    const { shards } = await at.workers();
    const even = Math.floor(shardsAll / pids.length);
    return pids.every((pid) => [even, even + 1].includes(shards.get(pid) ?? 0));
  }, waitMs);
}

/** Messages that are recorded as sent. */
export async function recorded(at: Site): Promise<number> {
  const [row] = await at.query<{ sent: number }>(
    'SELECT coalesce(sum(count), 0)::int AS sent FROM outcome WHERE state = 3',
  );
  return row!.sent;
}

function call(
  server: MillraceProcess,
  request: { method: string; path: string; body: string; type?: string },
): Promise<Response> {
  const { method, path, body, type = 'application/json' } = request;
  const headers = { authorization: `Bearer ${key}`, 'content-type': type };
  return fetch(server.url + path, { method, headers, body });
}
