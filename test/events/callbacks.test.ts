import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';
import { type EndpointServer, startEndpoints } from './endpoint-server.ts';

const key = 'callbacks-administrator-key-0123456789';
let databaseUrl: string;
let sink: MillraceProcess;
let server: MillraceProcess;
let endpoints: EndpointServer;

const startServer = () =>
  startProcess(['serve', '--port', '0', '--database', databaseUrl, '--log-level', 'fatal'], {
    MILLRACE_ADMIN_KEY: key,
  });

beforeAll(async () => {
  databaseUrl = (await createTestDatabase()).url;
  endpoints = await startEndpoints();
  sink = await startProcess(['sink', '--port', '0']);
  server = await startServer();
  await call('PUT', '/v1/routes/sms', { connector: 'http', url: `${sink.url}/`, allowPrivate: true });
  const secrets = [{ secret: `whsec_${randomBytes(32).toString('base64')}` }];
  const retry = { waitsMs: [1_000, 5_000], attemptsMax: 3 };
  await call('PUT', '/v1/routes/callbacks', { connector: 'webhook', allowPrivate: true, secrets, retry });
});

afterAll(async () => {
  await endpoints.close();
  killProcesses();
});

afterEach(async () => {
  for (const { id } of (await call('GET', '/v1/webhooks')).data) await call('DELETE', `/v1/webhooks/${id}`);
  endpoints.taken.length = 0;
  endpoints.answers.clear();
});

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
async function call(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.status, text).toBeLessThan(300);
  return JSON.parse(text);
}

async function register(name: string, more: Record<string, unknown> = {}) {
  const webhook = await call('POST', '/v1/webhooks', { name, url: `${endpoints.url}/${name}`, ...more });
  endpoints.secrets.set(`/${name}`, webhook.secret);
  return webhook;
}

async function sendBatch(count: number): Promise<string> {
  const { id } = await call('POST', '/v1/batches', { route: 'sms', tags: ['spring'] });
  const lines = Array.from({ length: count }, (_, n) => ({
    to: `+3161234${1_000 + n}`,
    body: 'x',
    ref: `r${n}`,
  }));
  await call('POST', `/v1/batches/${id}/messages?close=true`, lines);
  return id;
}

const toldTo = (name: string) => endpoints.taken.filter(({ path }) => path === `/${name}`);

test('an endpoint is told once of each message and batch from its registration on, signed, with what the sender knows them by', async () => {
  const before = await call('POST', '/v1/messages', {
    to: '+31612345678',
    body: 'x',
    route: 'sms',
    ref: 'early',
  });
  // An endpoint is told of what comes into the change feed behind its registration.
  await until(async () =>
    (await call('GET', '/v1/events')).data.some(
      ({ messageId, state }: { messageId: string; state: string }) =>
        messageId === before.messages[0].id && state === 'sent',
    ),
  );
  await register('all');
  await register('failures', { events: ['message.failed'] });
  await register('tagged', { filter: { tags: ['otp'] }, events: ['message.sent'] });
  await register('many', { batchMax: 50, events: ['message.sent'] });
  const single = await call('POST', '/v1/messages', {
    ...{ to: '+31612345678', body: 'x', route: 'sms', ref: 'order-7', tags: ['otp'], metadata: { order: 7 } },
  });
  const batch = await sendBatch(120);
  await until(() => toldTo('all').length >= 122);
  await until(() => toldTo('many').flatMap(({ payload }) => eventsIn(payload)).length >= 121);
  await until(() => toldTo('tagged').length >= 1);

  const [{ id }] = single.messages;
  const told = toldTo('all').map(({ payload }) => payload);
  expect(told.find(({ data }) => data.messageId === id)).toMatchObject({
    type: 'message.sent',
    data: {
      ...{ messageId: id, state: 'sent', to: '+31612345678', ref: 'order-7', route: 'sms', attempt: 1 },
      ...{ tags: ['otp'], metadata: { order: 7 } },
    },
  });
  expect(told.filter(({ type }) => type === 'batch.done')).toMatchObject([
    { data: { batchId: batch, route: 'sms' } },
  ]);
  expect(new Set(told.map((event) => event.id)).size).toBe(122);
  expect(told.filter(({ data }) => data.tags?.[0] === 'spring')).toHaveLength(120);
  expect(toldTo('tagged').map(({ payload }) => payload.data.messageId)).toEqual([id]);
  expect(toldTo('many').length).toBeLessThan(20);
  expect(toldTo('failures')).toEqual([]);
  expect(endpoints.forged).toBe(0);
  // They are messages, which support staff find by the endpoint, and by the message that they tell of.
  const listed = await call('GET', '/v1/messages?to=all&limit=200');
  expect(listed.data.length).toBe(122);
  const telling = (await call('GET', `/v1/messages?ref=${id}`)).data.map(({ to }: { to: string }) => to);
  expect(telling).toEqual(expect.arrayContaining(['all', 'tagged']));
  // The feed of the account has none of them.
  const feed = await call('GET', '/v1/events?limit=1000');
  expect(feed.data.filter(({ messageId }: { messageId: string }) => messageId === listed.data[0].id)).toEqual(
    [],
  );
});

test('a server that is killed while a flood is told of leaves no event out, and makes none twice', {
  timeout: 180_000,
}, async () => {
  await register('flood', { events: ['message.sent'] });
  const count = 1_500;
  const batch = await sendBatch(count);
  await until(() => toldTo('flood').length > 200);
  await server.kill();
  server = await startServer();
  await until(async () => (await call('GET', `/v1/batches/${batch}`)).state === 'done');
  await until(() => new Set(toldTo('flood').map(({ payload }) => payload.data.messageId)).size === count);
  const requestsOf = new Map<string, Set<string>>();
  for (const { id, payload } of toldTo('flood')) {
    const requests = requestsOf.get(payload.id) ?? new Set();
    requestsOf.set(payload.id, requests.add(id));
  }
  // A request may come again after a kill, under the same webhook-id.
  expect([...requestsOf.values()].filter((requests) => requests.size > 1)).toEqual([]);
  expect(endpoints.forged).toBe(0);
});

test('an endpoint that is gone is disabled, its owner is told by the others, and it is called again when it is enabled', async () => {
  const gone = await register('gone');
  await register('other');
  endpoints.answers.set('/gone', 410);
  const send = () => call('POST', '/v1/messages', { to: '+31612345678', body: 'x', route: 'sms' });
  await send();
  await until(async () => (await call('GET', `/v1/webhooks/${gone.id}`)).state === 'disabled');
  await until(() => toldTo('other').some(({ payload }) => payload.type === 'webhook.disabled'));
  const notice = toldTo('other').find(({ payload }) => payload.type === 'webhook.disabled')!;
  expect(notice.payload.data).toMatchObject({
    webhookId: gone.id,
    name: 'gone',
    reason: expect.stringContaining('410'),
  });
  endpoints.answers.delete('/gone');
  const enabled = await call('PATCH', `/v1/webhooks/${gone.id}`, { enabled: true });
  expect(enabled).toMatchObject({ state: 'enabled' });
  const isTold = (name: string, { messages }: { messages: { id: string }[] }) =>
    toldTo(name).some(({ payload }) => payload.data.messageId === messages[0]!.id);
  const sent = await send();
  await until(() => isTold('gone', sent));

  const byHand = await call('PATCH', `/v1/webhooks/${gone.id}`, { enabled: false });
  expect(byHand).toMatchObject({ state: 'disabled', disabledReason: expect.stringContaining('by hand') });
  await until(async () => {
    const later = await send();
    await until(() => isTold('other', later));
    return !isTold('gone', later);
  });
});

test('after a rotation requests carry signatures by both secrets, until the old one ends', async () => {
  const webhook = await register('all', { events: ['message.sent'] });
  const rotated = await call('POST', `/v1/webhooks/${webhook.id}/rotate`, { overlapMs: 60_000 });
  expect(rotated.secret).not.toBe(webhook.secret);
  const send = () => call('POST', '/v1/messages', { to: '+31612345678', body: 'x', route: 'sms' });
  await send();
  await until(() => toldTo('all').length === 1);
  // A change takes a moment until it is known everywhere; what is refused meanwhile comes again.
  endpoints.secrets.set('/all', rotated.secret);
  await send();
  await until(() => toldTo('all').length === 2);
  const refused = endpoints.forged;
  expect(refused).toBeLessThanOrEqual(1);
  endpoints.secrets.set('/all', webhook.secret);
  await send();
  await until(() => toldTo('all').length === 3);
  expect(endpoints.forged).toBe(refused);
  const again = await call('POST', `/v1/webhooks/${webhook.id}/rotate`, { overlapMs: 0 });
  endpoints.secrets.set('/all', again.secret);
  await send();
  await until(() => toldTo('all').length === 4);
  expect(endpoints.forged).toBeLessThanOrEqual(refused + 1);
});

test('erasing a person erases the callbacks that tell of them', async () => {
  await register('all', { events: ['message.sent'] });
  const { messages } = await call('POST', '/v1/messages', { to: '+31699999999', body: 'x', route: 'sms' });
  await until(() => toldTo('all').length === 1);
  expect(await call('POST', '/v1/recipients/erase', { to: '+31699999999' })).toMatchObject({
    messages: 2,
    complete: true,
  });
  expect((await call('GET', `/v1/messages?ref=${messages[0].id}`)).data).toEqual([]);
});

function eventsIn(payload: { type: string; data: unknown }): unknown[] {
  return payload.type === 'events' ? (payload.data as unknown[]) : [payload];
}
