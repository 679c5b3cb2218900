import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished } from 'vitest';
import { startSink } from '../../src/sink/start-sink.ts';
import { eventually } from '../embedded/eventually.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';
import { withFailingDisk } from '../support/with-failing-disk.ts';

const key = 'storage-test-administrator-key-0123456789';
const arrivalsKept = 100_000;
const recoveryMs = 90_000;
/** What each message holds, so that PostgreSQL soon needs blocks that it does not have yet. */
const bodyBytes = 20_000;

afterEach(killProcesses);

interface Site {
  server: MillraceProcess;
  /** Ids that were answered with 202. */
  accepted: string[];
  /** Posts one message under a key and keeps its id when it is accepted; the status. */
  post(idempotencyKey: string, patienceMs?: number): Promise<number>;
  /** Resolves when every accepted message has arrived, and fails when one did so twice. */
  allArrive(): Promise<void>;
}

/** A server whose PostgreSQL and own files lie in a directory, and a provider that lies elsewhere. */
async function startSite(directory: string): Promise<Site> {
  const sink = await startSink({ port: 0, arrivals: arrivalsKept });
  onTestFinished(() => sink.stop());
  const args = ['serve', '--port', '0', '--data', directory, '--lease-ms', '1000', '--log-level', 'fatal'];
  const server = await startProcess(args, { MILLRACE_ADMIN_KEY: key });
  const call = (path: string, { method = 'GET', body, headers, patienceMs = 30_000 }: CallOptions = {}) =>
    fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(patienceMs),
    });
  const route = { connector: 'http', url: sink.url, allowPrivate: true };
  expect((await call('/v1/routes/r', { method: 'PUT', body: route })).status).toBe(201);
  const accepted: string[] = [];
  return {
    server,
    accepted,
    async post(idempotencyKey, patienceMs) {
      const body = { to: '+31612345678', route: 'r', body: 'x'.repeat(bodyBytes) };
      const headers = { 'idempotency-key': idempotencyKey };
      const answer = await call('/v1/messages', {
        method: 'POST',
        body,
        headers,
        ...(patienceMs && { patienceMs }),
      });
      const { messages, detail } = (await answer.json()) as { messages?: { id: string }[]; detail?: string };
      if (messages) accepted.push(messages[0]!.id);
      else
        expect([answer.headers.get('retry-after'), detail]).toEqual([
          expect.stringMatching(/^\d+$/),
          expect.any(String),
        ]);
      return answer.status;
    },
    async allArrive() {
      const wanted = new Set(accepted);
      await eventually(
        'all that was accepted has arrived',
        async () => {
          const page = await (await fetch(`${sink.url}/arrivals?limit=${arrivalsKept}`)).json();
          const arrived = new Set((page as { data: { id: string }[] }).data.map(({ id }) => id));
          return [...wanted].every((id) => arrived.has(id));
        },
        recoveryMs,
      );
      for (const id of wanted) expect((await call(`/v1/messages/${id}`)).status).toBe(200);
    },
  };
}

interface CallOptions {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  patienceMs?: number;
}

/** What PostgreSQL itself says of its disk. */
async function logOf(directory: string): Promise<string> {
  const logs = join(directory, 'postgres', 'log');
  const names = (await readdir(logs)).filter((name) => name.endsWith('.log'));
  return (await Promise.all(names.map((name) => readFile(join(logs, name), 'utf8')))).join('');
}

withFailingDisk(
  'while the disk answers EIO nothing is accepted that is not kept, and once it is mended all goes on by itself',
  async ({ directory, fail, mend }) => {
    const { server, accepted, post, allArrive } = await startSite(directory);
    const statuses = new Set<number>();
    let posts = 0;
    const postOne = async () => {
      const status = await post(`eio ${posts++}`);
      statuses.add(status);
      return status;
    };
    expect(await postOne()).toBe(202);
    fail();
    await eventually('a message is refused', async () => (await postOne()) === 503, recoveryMs);
    await eventually(
      'it is not ready',
      async () => (await fetch(`${server.url}/readyz`)).status === 503,
      recoveryMs,
    );
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    expect(await logOf(directory)).toMatch(/could not (fsync|write|extend|open) .*Input\/output error/);
    mend();
    await eventually('a message is accepted', async () => (await postOne()) === 202, recoveryMs);
    expect([...statuses].sort()).toEqual([202, 503]);
    expect(accepted.length).toBeGreaterThan(1);
    await allArrive();
    expect(await server.stop()).toBe(0);
  },
);

withFailingDisk(
  'a message is not accepted while the disk takes no writes, and once it does the same key has it accepted once',
  async ({ directory, freeze, thaw }) => {
    const { server, accepted, post, allArrive } = await startSite(directory);
    expect(await post('before')).toBe(202);
    freeze();
    // The server's own limit of a statement, and its answer's, end before this.
    const stalled = post('stalled', 60_000);
    const status = await stalled;
    expect(status).toBe(503);
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    thaw();
    await eventually('the same key is accepted', async () => (await post('stalled')) === 202, recoveryMs);
    expect(accepted).toHaveLength(2);
    await allArrive();
    expect(await server.stop()).toBe(0);
  },
);
