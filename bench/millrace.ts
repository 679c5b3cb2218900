import { createReadStream, existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Agent, type Dispatcher, request } from 'undici';
import { othersRefPrefix } from '../src/cli/demo/other-customers.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Server, startServer } from './child.ts';
import { type Sender, startSender } from './run-sender.ts';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
export const adminKey = 'millrace-bench-administrator-key-on-loopback';
/** Servers on one database need the same one. */
const secretKey = Buffer.alloc(32, 'millrace bench').toString('base64');
const readyTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
const uploadTimeoutMs = 1_200_000;
const uploadReadBytes = 1 << 20;
const pollEveryMs = 50;
const pagesMax = 100;
/** Two for each account of the ordinary day. What waits for one counts as waiting for its answer. */
const connectionsMax = 100;

export interface BatchCounts {
  accepted: number;
  rejected: number;
  queued: number;
  sending: number;
  retrying: number;
  sent: number;
  delivered: number;
  failed: number;
  canceled: number;
  uncertain: number;
}

export interface Batch {
  id: string;
  state: string;
  doneAt: string | null;
  counts: BatchCounts;
}

export interface Millrace {
  url: string;
  pid: number;
  /** A JSON call that must answer 2xx; the body. `key` is the administrator's unless another is given. */
  call<Body>(
    method: Dispatcher.HttpMethod,
    path: string,
    options?: { body?: unknown; key?: string },
  ): Promise<Body>;
  /** The one-shot form: creates a batch of the file and closes it. */
  uploadOneShot(options: { route: string; file: string; start: 'now' | 'close' }): Promise<Batch>;
  /** A process that can do the same. */
  startSender(options: { route: string; file: string }): Promise<Sender>;
  /** An open batch that holds the file's messages; none is delivered before `closeBatch`. */
  uploadOpen(route: string, file: string, settings?: { template?: string }): Promise<Batch>;
  closeBatch(id: string): Promise<void>;
  batch(id: string): Promise<Batch>;
  /** Searches by recipient, page after page, until the message with this reference turns up; its id. */
  find(wanted: { to: string; ref: string }): Promise<string>;
  /** Waits until the batch has nothing left to do; fails at the deadline, or when a message did not end as sent. */
  waitSent(id: string, timeoutMs: number): Promise<Batch>;
  stop(): Promise<void>;
}

/** `serve` in a process of its own, from the built program, as a user would run it. */
export async function startMillrace(options: {
  databaseUrl: string;
  dir: string;
  args?: string[];
}): Promise<Millrace> {
  requireBuilt();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // Uploads last long before their answer begins.
  const dispatcher = new Agent({
    connections: connectionsMax,
    headersTimeout: uploadTimeoutMs,
    bodyTimeout: uploadTimeoutMs,
  });
  const data = mkdtempSync(join(options.dir, 'millrace-'));
  const server = await startServer({
    command: process.execPath,
    args: [
      program,
      'serve',
      '--port',
      String(port),
      '--data',
      data,
      '--log-level',
      'warn',
      ...(options.args ?? []),
    ],
    env: {
      MILLRACE_DATABASE_URL: options.databaseUrl,
      MILLRACE_ADMIN_KEY: adminKey,
      MILLRACE_SECRET_KEY: secretKey,
    },
    ready: async () => {
      const { statusCode, body } = await request(`${url}/readyz`, { dispatcher });
      await body.dump();
      return statusCode === 200;
    },
    readyTimeoutMs,
    stopTimeoutMs,
  });
  const call = createCall({ url, dispatcher });
  const upload = <Body>(path: string, file: string) =>
    call<Body>('POST', path, { stream: createReadStream(file, { highWaterMark: uploadReadBytes }) });
  const batch = (id: string) => call<Batch>('GET', `/v1/batches/${id}`);
  return {
    url,
    pid: server.pid,
    call,
    batch,
    uploadOneShot: ({ route, file, start }) => upload(`/v1/batches?route=${route}&start=${start}`, file),
    startSender: ({ route, file }) =>
      startSender({
        ...{ url: `${url}/v1/batches?route=${route}&start=now`, key: adminKey },
        ...{ file, timeoutMs: uploadTimeoutMs },
      }),
    async uploadOpen(route, file, settings = {}) {
      const body = { route, start: 'close', ...settings };
      const { id } = await call<Batch>('POST', '/v1/batches', { body });
      await upload(`/v1/batches/${id}/messages`, file);
      return await batch(id);
    },
    async closeBatch(id) {
      await call('POST', `/v1/batches/${id}/close`, {});
    },
    find: (wanted) => find({ call, ...wanted }),
    waitSent: (id, timeoutMs) => waitSent({ batch, id, timeoutMs }),
    async stop() {
      await dispatcher.close();
      await server.stop();
    },
  };
}

/** Millrace's simulated provider, which keeps a ledger. */
export async function startSink(args: string[] = []): Promise<Server & { url: string }> {
  requireBuilt();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const server = await startServer({
    command: process.execPath,
    args: [program, 'sink', '--port', String(port), ...args],
    ready: async () => {
      const { statusCode, body } = await request(`${url}ledger`);
      await body.dump();
      return statusCode === 200;
    },
    readyTimeoutMs,
    stopTimeoutMs,
  });
  return { ...server, url };
}

/** One that can list the messages of `startOtherCustomers`: far more than arrive between two readings. */
export function startOthersSink(): Promise<Server & { url: string }> {
  return startSink(['--arrivals', '1000000', '--arrivals-ref-prefix', othersRefPrefix]);
}

export class NotBuilt extends Error {
  constructor() {
    super('dist/main.js is absent: run npm run build first');
    this.name = 'NotBuilt';
  }
}

function requireBuilt(): void {
  if (!existsSync(program)) throw new NotBuilt();
}

function createCall({ url, dispatcher }: { url: string; dispatcher: Agent }) {
  return async function call<Body>(
    method: Dispatcher.HttpMethod,
    path: string,
    { body, stream, key = adminKey }: { body?: unknown; stream?: NodeJS.ReadableStream; key?: string } = {},
  ): Promise<Body> {
    const headers: Record<string, string> = { authorization: `Bearer ${key}` };
    if (stream) headers['content-type'] = 'application/x-ndjson';
    else if (body !== undefined) headers['content-type'] = 'application/json';
    const sent = stream ?? (body === undefined ? null : JSON.stringify(body));
    const answer = await request(`${url}${path}`, {
      method,
      headers,
      dispatcher,
      body: sent as Dispatcher.RequestOptions['body'] & string,
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Body;
  };
}

interface Page {
  data: { id: string; ref: string }[];
  next: string | null;
}

async function find(options: { call: Millrace['call']; to: string; ref: string }): Promise<string> {
  const { call, to, ref } = options;
  let after = '';
  for (let page = 0; page < pagesMax; page++) {
    const { data, next } = await call<Page>('GET', `/v1/messages?to=${encodeURIComponent(to)}${after}`);
    const found = data.find((message) => message.ref === ref);
    if (found) return found.id;
    if (next === null) break;
    after = `&after=${next}`;
  }
  throw new Error(`the message to ${to} with the reference ${ref} is not found`);
}

async function waitSent(options: {
  batch(id: string): Promise<Batch>;
  id: string;
  timeoutMs: number;
}): Promise<Batch> {
  const deadlineMs = performance.now() + options.timeoutMs;
  for (;;) {
    const batch = await options.batch(options.id);
    const { counts } = batch;
    if (counts.sent === counts.accepted) return batch;
    const left = counts.queued + counts.sending + counts.retrying;
    if (left === 0)
      throw new Error(`batch ${batch.id} ended with messages that were not sent: ${JSON.stringify(counts)}`);
    if (performance.now() > deadlineMs) {
      throw new Error(`batch ${batch.id} was not done in ${options.timeoutMs} ms: ${JSON.stringify(counts)}`);
    }
    await delay(pollEveryMs);
  }
}
