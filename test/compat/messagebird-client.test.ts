import https from 'node:https';
import messagebird from 'messagebird';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClassicServer, startClassicServer } from './classic-server.ts';
import { startReportReceiver } from './report-receiver.ts';

/** The official client, which is told of nothing: its host leads here, as DNS or /etc/hosts would make it. */
type Client = ReturnType<typeof messagebird.initClient>;
type Message = Awaited<ReturnType<typeof create>>;

let server: ClassicServer;
let client: Client;
const agentOptions = { ...https.globalAgent.options };

beforeAll(async () => {
  server = await startClassicServer();
  Object.assign(https.globalAgent.options, {
    port: server.port,
    ca: server.certificate,
    lookup: (_host: string, options: { all?: boolean }, found: (...answer: unknown[]) => void) =>
      options.all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4),
  });
  client = messagebird.initClient(server.key);
});

afterAll(async () => {
  https.globalAgent.options = agentOptions;
  https.globalAgent.destroy();
  await server.stop();
});

function done<Answer>(call: (callback: (error: Error | null, answer: Answer | null) => void) => void) {
  return new Promise<Answer>((resolve, reject) => {
    call((error, answer) => (error ? reject(error) : resolve(answer as Answer)));
  });
}

// biome-ignore lint/suspicious/noExplicitAny: what the client's types leave out is looked at as well.
function create(fields: Record<string, unknown>): Promise<any> {
  return done((callback) => client.messages.create(fields as never, callback as never));
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
function read(id: string): Promise<any> {
  return done((callback) => client.messages.read(id, callback as never));
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
function list(filter: Record<string, unknown>): Promise<any> {
  return done((callback) => client.messages.list(filter as never, callback as never));
}

async function readUntil(id: string, status: string): Promise<Message> {
  let message: Message;
  await expect
    .poll(async () => {
      message = await read(id);
      return message.recipients.items.every((item: { status: string }) => item.status === status);
    }, pollOptions)
    .toBe(true);
  return message!;
}

const pollOptions = { timeout: 60_000, interval: 20 };
const originator = 'YourName';
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/;

test('a message to one recipient is answered as the classic API does, and reaches the provider', async () => {
  const message = await create({
    originator,
    recipients: ['31612345678'],
    body: 'hello',
    reference: 'order 1',
  });
  expect(message).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    href: `https://rest.messagebird.com/messages/${message.id}`,
    direction: 'mt',
    type: 'sms',
    originator,
    body: 'hello',
    reference: 'order 1',
    reportUrl: null,
    validity: null,
    gateway: null,
    typeDetails: {},
    datacoding: 'plain',
    mclass: 1,
    scheduledDatetime: null,
    createdDatetime: expect.stringMatching(time),
    recipients: {
      totalCount: 1,
      totalSentCount: 1,
      totalDeliveredCount: 0,
      totalDeliveryFailedCount: 0,
      items: [
        {
          recipient: 31612345678,
          status: 'sent',
          statusDatetime: expect.stringMatching(time),
          messagePartCount: 1,
        },
      ],
    },
  });
  await expect
    .poll(() => server.received.get('+31612345678'), pollOptions)
    .toMatchObject({
      from: originator,
      body: 'hello',
      ref: 'order 1',
      metadata: { messagebird: { type: 'sms', datacoding: 'plain', mclass: 1 } },
    });
  const seen = await read(message.id);
  expect(seen).toMatchObject({ id: message.id, body: 'hello', createdDatetime: message.createdDatetime });
  expect(seen.recipients.items).toEqual([
    {
      recipient: 31612345678,
      originator: null,
      status: 'sent',
      statusDatetime: expect.stringMatching(time),
      messagePartCount: 1,
      messageLength: 5,
      recipientCountry: 'Netherlands',
      recipientCountryPrefix: 31,
      recipientOperator: null,
      statusErrorCode: null,
      statusReason: 'pending DLR',
      price: { amount: null, currency: null },
      mccmnc: null,
      mcc: null,
      mnc: null,
    },
  ]);
});

test('recipients come as a string with commas, as a list, and up to fifty at once, under one id', async () => {
  const some = await create({
    originator: 31600000000,
    recipients: '31612000001, +31612000002',
    body: 'two',
  });
  expect(some.originator).toBe('31600000000');
  expect(some.recipients.items.map((item: { recipient: number }) => item.recipient)).toEqual([
    31612000001, 31612000002,
  ]);
  const recipients = Array.from({ length: 50 }, (_, n) => `316130000${String(n).padStart(2, '0')}`);
  const many = await create({ originator, recipients: [...recipients], body: 'fifty' });
  expect(many.recipients).toMatchObject({ totalCount: 50, totalSentCount: 50 });
  await expect
    .poll(() => recipients.filter((recipient) => server.received.has(`+${recipient}`)).length, pollOptions)
    .toBe(50);
  const seen = await read(many.id);
  expect(seen.recipients.items.map((item: { recipient: number }) => String(item.recipient))).toEqual(
    recipients,
  );
});

test('what the provider refuses for good is delivery_failed, with its reason', async () => {
  server.answerWith(({ to }) => (to === '+31614000002' ? 422 : 200));
  const { id } = await create({ originator, recipients: '31614000001,31614000002', body: 'hello' });
  await expect
    .poll(
      async () => (await read(id)).recipients.items.map((item: { status: string }) => item.status),
      pollOptions,
    )
    .toEqual(['sent', 'delivery_failed']);
  const { recipients } = await read(id);
  expect(recipients).toMatchObject({ totalCount: 2, totalSentCount: 1, totalDeliveryFailedCount: 1 });
  expect(recipients.items[1].statusReason).toMatch(/\S/);
});

test('a scheduled message waits, and is gone when it is deleted', async () => {
  const message = await create({
    originator,
    recipients: '31615000001,31615000002',
    body: 'later',
    scheduledDatetime: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, '+00:00'),
  });
  expect(message.scheduledDatetime).toMatch(time);
  expect(message.recipients).toMatchObject({ totalCount: 2, totalSentCount: 0 });
  expect(message.recipients.items[0]).toMatchObject({ status: 'scheduled', statusDatetime: null });
  const scheduled = await list({ status: 'scheduled' });
  expect(scheduled.items.map(({ id }: { id: string }) => id)).toEqual([message.id]);
  expect(await done((callback) => client.messages.delete(message.id, callback as never))).toBe(true);
  await expect(read(message.id)).rejects.toThrow('message not found (code: 20)');
  expect((await list({ status: 'scheduled' })).totalCount).toBe(0);
  await expect(done((callback) => client.messages.delete(message.id, callback as never))).rejects.toThrow(
    'message not found (code: 20)',
  );
  expect(server.received.has('+31615000001')).toBe(false);
});

test('a message that is sent cannot be deleted any more', async () => {
  const { id } = await create({ originator, recipients: '31616000001', body: 'gone' });
  await expect.poll(() => server.received.has('+31616000001'), pollOptions).toBe(true);
  await readUntil(id, 'sent');
  await expect
    .poll(
      () =>
        done((callback) => client.messages.delete(id, callback as never)).catch(
          (error: Error) => error.message,
        ),
      pollOptions,
    )
    .toContain('nothing of it can be canceled any more) (code: 2)');
  expect((await read(id)).recipients.items[0].status).toBe('sent');
});

test('an erased recipient leaves the others of its message as they are', async () => {
  const { id } = await create({ originator, recipients: '31655555555,31666666666', body: 'hello' });
  await readUntil(id, 'sent');
  const erased = await server.manage('POST', '/v1/recipients/erase', {
    body: { to: '+31655555555' },
    headers: { 'millrace-account': server.accountId },
  });
  expect(erased.json).toMatchObject({ messages: 1, complete: true });
  const { body, recipients } = await read(id);
  expect(body).toBe('hello');
  expect(recipients.items.map(({ recipient }: { recipient: number | null }) => recipient)).toEqual([
    null,
    31666666666,
  ]);
});

test('the list is paged from the newest on, and its pages tell where the others are', async () => {
  const made: string[] = [];
  for (let n = 0; n < 5; n++) {
    made.push((await create({ originator, recipients: `3161700000${n}`, body: `page ${n}` })).id);
  }
  const ids = (page: { items: { id: string }[] }) => page.items.map(({ id }) => id);
  const first = await list({ limit: 2, offset: 0 });
  expect(ids(first)).toEqual([made[4], made[3]]);
  expect(first).toMatchObject({ offset: 0, limit: 2, count: 2, links: { previous: null } });
  expect(new URL(first.links.next).search).toBe('?offset=2&limit=2');
  const second = await list({ limit: 2, offset: 2 });
  expect(ids(second)).toEqual([made[2], made[1]]);
  expect(second.totalCount).toBe(first.totalCount);
  const all = await list({ limit: 200 });
  expect(all).toMatchObject({ count: first.totalCount, totalCount: first.totalCount, links: { next: null } });
  expect(new Set(ids(all)).size).toBe(first.totalCount);
});

test('what the receipts of the provider say is what the statuses show', async () => {
  const { id } = await create({ originator, recipients: '31677777771,31677777772', body: 'hello' });
  await readUntil(id, 'sent');
  await expect.poll(() => server.received.has('+31677777772'), pollOptions).toBe(true);
  const { receiptsUrl } = (await server.manage('GET', '/v1/routes/out')).json;
  const [delivered, failed] = ['+31677777771', '+31677777772'].map((to) => server.received.get(to)!.id);
  const body = [
    { id: delivered, status: 'delivered' },
    { id: failed, status: 'failed', error: { code: 'absent', detail: 'absent subscriber' } },
  ];
  const headers = { 'content-type': 'application/json' };
  const { pathname } = new URL(receiptsUrl, `https://127.0.0.1:${server.port}`);
  expect((await server.ask('POST', pathname, { body, headers })).status).toBeLessThan(300);
  await expect
    .poll(async () => {
      const { totalDeliveredCount, totalDeliveryFailedCount, items } = (await read(id)).recipients;
      return [
        totalDeliveredCount,
        totalDeliveryFailedCount,
        items.map(({ status }: { status: string }) => status),
      ];
    }, pollOptions)
    .toEqual([1, 1, ['delivered', 'delivery_failed']]);
});

test('a message is reported on to its reportUrl, signed with the key that the receiver has from MessageBird', async () => {
  const receiver = await startReportReceiver('PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd');
  const account = { 'millrace-account': server.accountId };
  const body = { key: receiver.signingKey };
  expect((await server.manage('PUT', '/v1/signing-key', { body, headers: account })).status).toBe(200);
  const reported = { reference: 'order 1', reportUrl: receiver.url };
  const recipients = '31618000001';
  const message = await create({ originator, recipients, body: 'hello', ...reported });
  expect(message).toMatchObject(reported);
  // Its route is made with the first such message, and allows no private address.
  const routes = (await server.manage('GET', '/v1/routes/callbacks')).json;
  expect(routes).toMatchObject({ connector: 'webhook' });
  const secrets = [{ secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }];
  const open = {
    connector: 'webhook',
    secrets,
    allowPrivate: true,
    retry: { waitsMs: [500], attemptsMax: 100 },
  };
  await server.manage('PUT', '/v1/routes/callbacks', { body: open });
  const { id } = await create({ originator, recipients, body: 'hello', ...reported });
  await expect
    .poll(() => receiver.taken.filter((report) => report.id === id), pollOptions)
    .toMatchObject([{ shop: '1', reference: 'order 1', recipient: recipients, status: 'sent' }]);
  expect(receiver.forged).toBe(0);
  expect(server.received.get(`+${recipients}`)).not.toHaveProperty('reportUrl');
  await receiver.close();
});

test('the balance is that of an account that pays afterwards', async () => {
  expect(await done((callback) => client.balance.read(callback as never))).toEqual({
    payment: 'postpaid',
    type: 'credits',
    amount: 0,
  });
});

test('the client hears of every failure', async () => {
  await expect(create({ originator, body: 'hello', recipients: [] })).rejects.toMatchObject({
    statusCode: 422,
    errors: [{ code: 9, description: 'no (correct) recipients found', parameter: 'recipients' }],
  });
  await expect(create({ originator, recipients: 'nobody', body: '' })).rejects.toThrow(
    'no (correct) recipients found (code: 9, parameter: recipients), body is required (code: 9, parameter: body)',
  );
  await expect(read('e8077d803532c0b5937c639b60216938')).rejects.toMatchObject({
    statusCode: 404,
    errors: [{ code: 20, description: 'message not found', parameter: null }],
  });
  const stranger = messagebird.initClient('wrong-key');
  await expect(done((callback) => stranger.balance.read(callback as never))).rejects.toMatchObject({
    statusCode: 401,
    errors: [{ code: 2, description: 'Request not allowed (incorrect access_key)', parameter: 'access_key' }],
  });
  // What is not served here must not pass for success either.
  await expect(
    done((callback) => client.hlr.create(31612345678 as never, 'ref', callback as never)),
  ).rejects.toThrow('API not found (code: 98)');
});
