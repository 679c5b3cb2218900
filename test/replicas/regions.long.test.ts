import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, vi } from 'vitest';
import { until } from '../delivery/mill.ts';
import { queryValue } from '../embedded/query.ts';
import { needs } from '../support/needs.ts';
import { readBody } from '../support/scripted-server.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';
import { adminKey, type ReplicatedServer, startReplicated } from './replicated-server.ts';

/** Servers are copied and started, two cores for all of them. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const withCluster = needs('initdb', 'pg_ctl', 'pg_basebackup', 'psql');
const secret = Buffer.alloc(32, 7).toString('base64');

/** A site of a primary and a standby; its own server reads at the standby and stays out of these tests. */
let site: ReplicatedServer | undefined;
const directories: string[] = [];

async function theSite(): Promise<ReplicatedServer> {
  site ??= await startReplicated({ delaysMs: [0] });
  return site;
}

afterAll(async () => {
  killProcesses();
  await site?.close();
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

async function startServer(args: readonly string[]): Promise<MillraceProcess> {
  const data = await mkdtemp(join(tmpdir(), 'millrace-region-'));
  directories.push(data);
  const { cluster } = await theSite();
  const place = ['--data', data, '--database', cluster.primary.url, '--roles', 'api'];
  return startProcess(['serve', '--port', '0', ...place, ...args], { MILLRACE_SECRET_KEY: secret });
}

/** A server near the primary, and one beside the standby that sends its writes there. */
async function startRegions() {
  const { cluster, standbys } = await theSite();
  const standby = standbys[0]!;
  const home = await startServer([]);
  const far = await startServer(['--replica-urls', standby.url, '--write-forward-url', home.url]);
  return { home, far, standby, primaryUrl: cluster.primary.url };
}

async function call(
  server: MillraceProcess,
  method: string,
  path: string,
  more: { body?: unknown; token?: string } = {},
) {
  const { body, token } = more;
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${adminKey}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { 'millrace-consistency': token }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const carried = answer.headers.get('millrace-consistency') ?? undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  const json: any = text.startsWith('{') ? JSON.parse(text) : text;
  return { status: answer.status, token: carried, json };
}

/** A figure of a server by its label, 0 while it has none. */
async function figure(server: MillraceProcess, line: string): Promise<number> {
  const { json } = await call(server, 'GET', '/metrics');
  return Number(
    String(json)
      .split('\n')
      .find((found) => found.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );
}

/** Of a batch, or all, as the primary has them. */
async function storedMessages(primaryUrl: string, batchId?: string): Promise<number> {
  const where = batchId === undefined ? '' : `WHERE batch = '${batchId}'`;
  return Number(await queryValue(primaryUrl, `SELECT coalesce(sum(count), 0) FROM chunk ${where}`));
}

function upload(server: MillraceProcess, key: string) {
  const sent = request(`${server.url}/v1/batches?route=nowhere`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${adminKey}`,
      'content-type': 'application/x-ndjson',
      'idempotency-key': key,
    },
  });
  const answer = new Promise<{ status: number; json: { id: string; counts: object; code: string } }>(
    (resolve, reject) => {
      sent.on('error', reject);
      sent.on('response', async (response) => {
        resolve({ status: response.statusCode!, json: JSON.parse((await readBody(response)).toString()) });
      });
    },
  );
  // Those that are not waited for.
  answer.catch(() => {});
  return {
    answer,
    async write(bytes: Buffer) {
      if (!sent.write(bytes)) await new Promise((resolve) => sent.once('drain', resolve));
    },
    end: () => sent.end(),
  };
}

const blockLines = 4_000;
const block = Buffer.from(
  Array.from(
    { length: blockLines },
    (_, n) => `{"to":"+3161${1_000_000 + n}","body":"${'Your parcel is on its way. '.repeat(4)}"}\n`,
  ).join(''),
);

withCluster(
  'a write through a far server is in the primary, and read at the standby with its token',
  async () => {
    const { home, far, standby, primaryUrl } = await startRegions();
    const storedBefore = await storedMessages(primaryUrl);
    const message = { to: '+31612345678', body: 'from afar', route: 'nowhere' };
    const made = await call(far, 'POST', '/v1/messages', { body: message });
    expect(made).toMatchObject({ status: 202, token: expect.stringMatching(/^home:1:/) });
    const { id } = made.json.messages[0];
    expect(await storedMessages(primaryUrl)).toBe(storedBefore + 1);
    expect(
      await figure(home, 'millrace_messages_accepted_total{route="nowhere",priority="interactive"}'),
    ).toBe(1);

    const reads = `millrace_reads_total{target="127.0.0.1:${standby.port}"}`;
    await until(async () => {
      const before = await figure(far, reads);
      const read = await call(far, 'GET', `/v1/messages/${id}`, { token: made.token! });
      expect(read).toMatchObject({ status: 200, json: { id, body: 'from afar' } });
      return (await figure(far, reads)) > before;
    });
    expect(await far.stop()).toBe(0);
    expect(await home.stop()).toBe(0);
  },
);

withCluster('a long upload goes through a far server without staying in its memory', async () => {
  const { home, far, primaryUrl } = await startRegions();
  const before = peakResidentBytes(far.pid);
  const sent = upload(far, 'long');
  const blocks = Math.ceil(streamBytes / block.length);
  for (let index = 0; index < blocks; index++) {
    await sent.write(block);
    if (index === blocks >> 1) await until(async () => (await uploadedBytes(home)) > block.length);
  }
  sent.end();
  const { status, json } = await sent.answer;
  expect(status).toBe(201);
  expect(json.counts).toMatchObject({ accepted: blocks * blockLines, rejected: 0 });
  expect(await storedMessages(primaryUrl, json.id)).toBe(blocks * blockLines);
  if (before !== undefined) expect(peakResidentBytes(far.pid)! - before).toBeLessThan(addedBytesMax);
  expect(await far.stop()).toBe(0);
  expect(await home.stop()).toBe(0);
});

withCluster(
  'a server that is killed in an upload makes no success of it, and sent again it is there once',
  async () => {
    const { home, far, primaryUrl } = await startRegions();
    const storedBefore = await storedMessages(primaryUrl);
    const broken = upload(far, 'killed');
    await broken.write(block);
    await until(async () => (await storedMessages(primaryUrl)) > storedBefore);
    await home.kill();
    expect(await broken.answer).toMatchObject({ status: 503, json: { code: 'unavailable' } });
    const away = await call(far, 'POST', '/v1/messages', {
      body: { to: '+31612345678', route: 'nowhere', body: 'x' },
    });
    expect(away).toMatchObject({ status: 503, json: { code: 'unavailable' } });

    const again = await startServer(['--port', new URL(home.url).port]);
    let done = await whole(far, 'killed');
    await until(async () => {
      // The key is still held by the server that is no more, until its hold runs out.
      if (done.status === 409) done = await whole(far, 'killed');
      return done.status !== 409;
    }, keyHeldMs);
    expect(done).toMatchObject({ status: 201, json: { counts: { accepted: 2 * blockLines, rejected: 0 } } });
    expect(await storedMessages(primaryUrl)).toBe(storedBefore + 2 * blockLines);
    expect(await storedMessages(primaryUrl, done.json.id)).toBe(2 * blockLines);
    expect(await far.stop()).toBe(0);
    expect(await again.stop()).toBe(0);
  },
);

/** Many times what may be added to the memory of the server that it goes through. */
const streamBytes = 256 * 1_024 ** 2;
const addedBytesMax = 96 * 1_024 ** 2;
/** How long a key may be held after its server was killed, on a busy machine. */
const keyHeldMs = 180_000;

async function whole(server: MillraceProcess, key: string) {
  const sent = upload(server, key);
  await sent.write(block);
  await sent.write(block);
  sent.end();
  return await sent.answer;
}

function uploadedBytes(server: MillraceProcess): Promise<number> {
  return figure(server, 'millrace_upload_bytes_total');
}

/** The most memory that the process ever had, by the kernel's own book, where it keeps one. */
function peakResidentBytes(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}
