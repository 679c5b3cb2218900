import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

const key = 'steering-test-administrator-key-0123456789';
const count = 20_000;

interface Site {
  server: MillraceProcess;
  sink: MillraceProcess;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  call(method: string, path: string, body?: unknown, type?: string): Promise<any>;
  received(): Promise<{ received: number; distinct: number; duplicates: number }>;
}

let site: Site;

beforeAll(async () => {
  site = await startSite();
});

afterAll(killProcesses);

async function startSite(): Promise<Site> {
  const { url } = await createTestDatabase();
  const sink = await startProcess(['sink', '--port', '0', '--json'], {});
  const server = await startProcess(['serve', '--port', '0', '--database', url, '--log-level', 'warn'], {
    MILLRACE_ADMIN_KEY: key,
  });
  const site: Site = {
    server,
    sink,
    async call(method, path, body, type = 'application/json') {
      const response = await fetch(server.url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': type }) },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      return { status: response.status, ...((await response.json()) as object) };
    },
    received: async () => (await (await fetch(`${sink.url}/ledger`)).json()) as never,
  };
  await site.call('PUT', '/v1/routes/steered', {
    connector: 'http',
    url: `${sink.url}/`,
    allowPrivate: true,
    ratePerSecond: 4_000,
  });
  return site;
}

async function flood({ call }: Site): Promise<string> {
  const lines = Array.from({ length: count }, (_, n) => `{"to":"+316${10_000_000 + n}","body":"x"}`);
  const batch = await call('POST', '/v1/batches?route=steered', lines.join('\n'), 'application/x-ndjson');
  expect(batch.status).toBe(201);
  return batch.id;
}

async function until<Value>(read: () => Promise<Value>, holds: (value: Value) => boolean): Promise<Value> {
  const endMs = performance.now() + 60_000;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (performance.now() > endMs) throw new Error(`not in time: ${JSON.stringify(value)}`);
    await sleep(20);
  }
}

/** Waits until the sink has received nothing new for a while: each look takes a second of the rate limit. */
async function quiet(site: Site): Promise<number> {
  let last = -1;
  let since = performance.now();
  const { received } = await until(site.received, (ledger) => {
    if (ledger.received !== last) since = performance.now();
    last = ledger.received;
    return performance.now() - since > 700;
  });
  return received;
}

test('a batch is paused, resumed and canceled amid its delivery, and its canceled messages are replayed', async () => {
  const id = await flood(site);
  await until(site.received, ({ received }) => received > 1_000);
  expect((await site.call('POST', `/v1/batches/${id}/pause`)).state).toBe('paused');
  const atPause = await quiet(site);
  expect(atPause).toBeLessThan(count);

  expect((await site.call('POST', `/v1/batches/${id}/resume`)).state).toBe('delivering');
  await until(site.received, ({ received }) => received > atPause + 1_000);
  expect((await site.call('POST', `/v1/batches/${id}/cancel`)).state).toBe('canceled');
  const canceled = await until(
    () => site.call('GET', `/v1/batches/${id}`),
    (batch) => batch.doneAt !== null,
  );
  const sent = await quiet(site);
  expect(canceled.counts).toMatchObject({ accepted: count, sent, canceled: count - sent, queued: 0 });
  expect((await site.call('POST', `/v1/batches/${id}/resume`)).status).toBe(409);

  const [one] = (await site.call('GET', `/v1/batches/${id}/messages?state=canceled&limit=1`)).data;
  const replayed = await site.call('POST', `/v1/messages/${one.id}/replay`);
  const states: string[] = replayed.timeline.map(({ state }: { state: string }) => state);
  expect(states[0]).toBe('queued');
  // It may have been tried before it was canceled.
  const canceledAt = states.indexOf('canceled');
  expect(states.slice(canceledAt, canceledAt + 2)).toEqual(['canceled', 'queued']);
  await site.call('POST', `/v1/batches/${id}/replay`, { states: ['canceled'] });
  const done = await until(
    () => site.call('GET', `/v1/batches/${id}`),
    (batch) => batch.state === 'done',
  );
  expect(done.counts).toMatchObject({ sent: count, canceled: 0 });
  expect(await site.received()).toMatchObject({ received: count, duplicates: 0 });
});

test('what cannot be steered is refused with the state that stands in the way', async () => {
  const { messages } = await site.call('POST', '/v1/messages', {
    to: '+31612345678',
    body: 'x',
    route: 'steered',
  });
  const { id } = messages[0];
  await until(
    () => site.call('GET', `/v1/messages/${id}`),
    (message) => message.state === 'sent',
  );
  for (const action of ['cancel', 'replay']) {
    const refused = await site.call('POST', `/v1/messages/${id}/${action}`);
    expect(refused).toMatchObject({ status: 409, code: 'conflict' });
    expect(refused.detail).toContain('sent');
  }
  const missing = '018f0000-0000-7000-8000-000000000000';
  for (const action of ['pause', 'resume', 'cancel']) {
    expect((await site.call('POST', `/v1/batches/${missing}/${action}`)).status).toBe(404);
  }
  expect((await site.call('POST', `/v1/batches/${missing}/replay`, { states: ['sent'] })).status).toBe(422);
  expect((await site.call('POST', `/v1/messages/${missing}/cancel`)).status).toBe(404);
});
