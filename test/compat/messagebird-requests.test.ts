import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeChunk, splitFrame } from '../../src/message/chunk-codec.ts';
import { startApi, type TestApi } from '../api/start-api.ts';

/** Over plain HTTP, beside the other API of the same server; nothing is delivered. */
let api: TestApi;
let key: string;
let accountId: string;

beforeAll(async () => {
  api = await startApi();
  await setRoute('out', {});
  await setRoute('texts', { bodyTemplate: { number: '{{to}}', text: '{{body}}' } });
  ({ key, id: accountId } = await account('classic', 'out'));
});
afterAll(() => api.stop());

async function setRoute(name: string, options: Record<string, unknown>): Promise<void> {
  const body = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true, ...options };
  expect((await api.call('PUT', `/v1/routes/${name}`, { body })).status).toBeLessThan(300);
}

async function account(name: string, route?: string) {
  const made = await api.makeAccount(name, ['send', 'read', 'manage']);
  const body = { defaultRoutes: route === undefined ? {} : { sms: route } };
  expect((await api.call('PATCH', `/v1/accounts/${made.id}`, { body })).status).toBe(200);
  return made;
}

interface Asked {
  body?: unknown;
  as?: string | null;
  headers?: Record<string, string>;
}

function ask(method: string, path: string, { body, as = key, headers = {} }: Asked = {}) {
  const authorization = as === null ? {} : { authorization: `AccessKey ${as}` };
  return api.call(method, path, { key: null, body, headers: { ...authorization, ...headers } });
}

const good = { originator: 'YourName', recipients: '31612345678', body: 'hello' };
const form = { 'content-type': 'application/x-www-form-urlencoded' };

/** The lines of the newest chunk. */
async function storedLines(): Promise<Record<string, unknown>[]> {
  const { rows } = await api.context.database.query<{ codec: number; payload: Buffer }>({
    name: '',
    text: 'SELECT codec, payload FROM chunk ORDER BY id DESC LIMIT 1',
  });
  const { codec, payload } = rows[0]!;
  return splitFrame(decodeChunk(codec, payload)).map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('nothing that is accepted is ignored: every field is answered, stored and sent along', async () => {
  const { status, json } = await ask('POST', '/messages', {
    body: {
      originator: '+31600000000',
      recipients: [31612345678, '0031612345679'],
      body: '0a0bFF',
      type: 'binary',
      typeDetails: { udh: '050003340201' },
      reference: 'ref',
      validity: '60',
      mclass: 2,
      datacoding: 'unicode',
      scheduledDatetime: '2099-01-01T00:00:00+00:00',
      groupIds: [],
      gateway: null,
      direction: 'mt',
    },
  });
  // Nothing is kept until then.
  expect([status, json.errors]).toEqual([
    422,
    [{ code: 10, description: expect.stringContaining('lies beyond'), parameter: 'scheduledDatetime' }],
  ]);
  const soon = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 3_600_000);
  const made = await ask('POST', '/messages', {
    body: {
      ...{ originator: '+31600000000', recipients: [31612345678, '0031612345679'], body: '0a0bFF' },
      ...{ type: 'binary', typeDetails: { udh: '050003340201' }, reference: 'ref', validity: '60' },
      reportUrl: 'https://example.com/reports?shop=1',
      ...{
        mclass: 2,
        datacoding: 'unicode',
        scheduledDatetime: soon.toISOString().replace('.000Z', '+0000'),
      },
    },
  });
  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({
    ...{ type: 'binary', typeDetails: { udh: '050003340201' }, reference: 'ref', validity: 60, mclass: 2 },
    ...{ datacoding: 'unicode', originator: '+31600000000', body: '0a0bFF' },
    reportUrl: 'https://example.com/reports?shop=1',
    scheduledDatetime: soon.toISOString().replace('.000Z', '+00:00'),
  });
  expect(made.json.recipients.items.map(({ recipient }: { recipient: number }) => recipient)).toEqual([
    31612345678, 31612345679,
  ]);
  const details = { type: 'binary', datacoding: 'unicode', mclass: 2, udh: '050003340201', validity: 60 };
  expect(await storedLines()).toEqual(
    ['+31612345678', '+31612345679'].map((to) => ({
      ...{ to, from: '+31600000000', body: '0a0bFF', ref: 'ref', metadata: { messagebird: details } },
      scheduledAt: soon.toISOString(),
      expiresAt: new Date(soon.getTime() + 60_000).toISOString(),
      reportUrl: 'https://example.com/reports?shop=1',
    })),
  );
  const read = await ask('GET', `/messages/${made.json.id}`);
  const { recipients: _, ...head } = read.json;
  expect(made.json).toMatchObject(head);
});

test('plain replaces what the GSM alphabet lacks, auto looks, unicode keeps', async () => {
  const coded = async (datacoding: string | undefined, body: string) => {
    const { json } = await ask('POST', '/messages', { body: { ...good, body, datacoding } });
    return [
      json.datacoding,
      json.body,
      json.recipients.items[0].messagePartCount,
      (await storedLines())[0]!.body,
    ];
  };
  const long = '中'.repeat(71);
  expect(await coded(undefined, long)).toEqual(['plain', '?'.repeat(71), 1, '?'.repeat(71)]);
  expect(await coded('auto', long)).toEqual(['unicode', long, 2, long]);
  expect(await coded('auto', 'a'.repeat(161))).toEqual(['plain', 'a'.repeat(161), 2, 'a'.repeat(161)]);
  expect(await coded('unicode', 'a'.repeat(71))).toEqual(['unicode', 'a'.repeat(71), 2, 'a'.repeat(71)]);
});

test.each([
  [{ groupIds: ['x'] }, 'groupIds', 10],
  [{ gateway: 240 }, 'gateway', 10],
  [{ reportUrl: 'example.com/reports' }, 'reportUrl', 10],
  [{ reportUrl: 'ftp://example.com/' }, 'reportUrl', 10],
  [{ reportUrl: 'https://me:secret@example.com/' }, 'reportUrl', 10],
  [{ reportUrl: 'https://example.com/#part' }, 'reportUrl', 10],
  [{ reportUrl: 'https://example.com/a b' }, 'reportUrl', 10],
  [{ reportUrl: ['https://example.com/'] }, 'reportUrl', 10],
  [{ reportUrl: `https://example.com/${'x'.repeat(2_030)}` }, 'reportUrl', 10],
  [{ shortenUrls: true }, 'shortenUrls', 10],
  [{ colour: 'red' }, 'colour', 10],
  [{ type: 'premium' }, 'type', 10],
  [{ datacoding: 'utf8' }, 'datacoding', 10],
  [{ mclass: 4 }, 'mclass', 10],
  [{ validity: -1 }, 'validity', 10],
  [{ validity: 0 }, 'validity', 10],
  [{ scheduledDatetime: 'tomorrow' }, 'scheduledDatetime', 10],
  [{ reference: 'x'.repeat(129) }, 'reference', 10],
  [{ typeDetails: { keyword: 'x' } }, 'typeDetails', 10],
  [{ typeDetails: { udh: '05' } }, 'typeDetails', 10],
  [{ type: 'binary', body: 'hello' }, 'body', 10],
  [{ body: 'a'.repeat(1_378) }, 'body', 10],
  [{ body: '中'.repeat(604), datacoding: 'auto' }, 'body', 10],
  [{ originator: 'TwelveLetters' }, 'originator', 10],
  [{ originator: undefined }, 'originator', 9],
  [{ recipients: undefined }, 'recipients', 9],
  [{ recipients: '31612345678,' }, 'recipients', 9],
  [{ recipients: '12' }, 'recipients', 9],
  [{ recipients: Array(51).fill('31612345678') }, 'recipients', 10],
  [{ body: { text: 'x' } }, 'body', 10],
] as const)('%j is refused with its name', async (fields, parameter, code) => {
  const { status, json } = await ask('POST', '/messages', { body: { ...good, ...fields } });
  expect(status).toBe(422);
  expect(Object.keys(json)).toEqual(['errors']);
  expect(json.errors).toMatchObject([{ code, parameter }]);
  expect(json.errors[0].description).toMatch(/\S/);
});

test('a body may be a form, or JSON under any name, and the query may hold it all', async () => {
  const post = async (path: string, body: string, headers: Record<string, string>) => {
    const { status, json } = await ask('POST', path, { body, headers });
    expect(status).toBe(201);
    return [
      json.body,
      json.recipients.items.map(({ recipient }: { recipient: number }) => recipient),
      json.typeDetails,
    ];
  };
  const two = [31612345678, 31612345679];
  expect(
    await post(
      '/messages',
      'originator=Me&recipients=31612345678%2C31612345679&body=a+b%21&reference=',
      form,
    ),
  ).toEqual(['a b!', two, {}]);
  const lists = 'recipients[]=31612345678&recipients[]=31612345679';
  const udh = 'type=binary&typeDetails[udh]=050003340201';
  expect(await post('/messages', `originator=Me&${lists}&body=0a&${udh}`, form)).toEqual([
    '0a',
    two,
    { udh: '050003340201' },
  ]);
  expect(await post('/messages', JSON.stringify(good), form)).toEqual(['hello', [31612345678], {}]);
  expect(
    await post('/messages/?originator=Me&recipients=31612345678&recipients=+31612345679', 'body=hello', form),
  ).toEqual(['hello', two, {}]);
});

test('a client that can only GET names the method, and its key, in the query', async () => {
  const query = `access_key=${key}`;
  const made = await ask(
    'GET',
    `/messages?${query}&_method=POST&originator=Me&recipients=31612345678&body=hi`,
    {
      as: null,
    },
  );
  expect([made.status, made.json.body]).toEqual([201, 'hi']);
  const read = await ask('GET', `/messages/${made.json.id}?${query}`, { as: null });
  expect(read.json.id).toBe(made.json.id);
  const wrong = await ask('GET', `/balance?access_key=${key}x`, { as: null });
  expect([wrong.status, wrong.json.errors[0].code]).toEqual([401, 2]);
  // The header wins: a good key in the query does not mend a wrong one there.
  expect((await ask('GET', `/balance?${query}`, { as: 'wrong' })).status).toBe(401);
});

test('several messages of one request are stored together, or none of them', async () => {
  const count = async () => (await ask('GET', '/messages')).json.totalCount as number;
  const before = await count();
  const bad = await ask('POST', '/messages/batches', {
    body: { messages: [good, { ...good, recipients: 'x' }] },
  });
  expect([bad.status, bad.json.errors]).toEqual([
    422,
    [{ code: 9, description: 'no (correct) recipients found', parameter: 'messages[1].recipients' }],
  ]);
  expect(await count()).toBe(before);
  const messages = [good, { ...good, recipients: ['31612345671', '31612345672'], body: 'second' }];
  const made = await ask('POST', '/messages/batches', { body: { messages } });
  expect(made.status).toBe(201);
  expect(made.json.messages.map(({ body }: { body: string }) => body)).toEqual(['hello', 'second']);
  expect(await count()).toBe(before + 2);
  expect((await ask('GET', `/messages/${made.json.messages[1].id}`)).json.recipients.totalCount).toBe(2);
});

test('what is held together is one transaction, also beside others of the same moment', async () => {
  const { groupCommit } = api.context.intake;
  const shard = groupCommit.currentShard();
  const line = Buffer.from('{"to":"+31612345678"}');
  // A commit takes 1,000 chunks.
  const store = async () => {
    const chunkIds = Array.from({ length: 600 }, () => groupCommit.reserveChunkId(shard));
    const group = {
      accountId: Number(accountId),
      routeId: 1,
      priority: 0,
      test: false,
      timed: false,
      dueAtMs: null,
      templates: undefined,
    };
    const held = { ...group, lines: [line], parts: [1], toHashes: [1n], refHashes: [null] };
    groupCommit.holdTogether({ shard, count: 600, messages: 600, bytes: 600 * line.length });
    const answers = await Promise.all(chunkIds.map((chunkId) => groupCommit.store({ ...held, chunkId })));
    return answers.flatMap(({ ids }) => ids);
  };
  const stored = await Promise.all([store(), store(), store()]);
  for (const ids of stored) {
    const { rows } = await api.context.database.query<{ chunks: number; transactions: number }>(
      {
        name: '',
        text: `SELECT count(*)::integer AS chunks, count(DISTINCT xmin::text)::integer AS transactions
          FROM chunk WHERE id = ANY ($1::uuid[])`,
      },
      [ids],
    );
    expect(rows).toEqual([{ chunks: 600, transactions: 1 }]);
  }
});

test('a request may have so many recipients, and no more', async () => {
  const recipients = Array(50).fill('31612345678');
  const messages = Array.from({ length: 201 }, () => ({ ...good, recipients }));
  const { status, json } = await ask('POST', '/messages/batches', { body: { messages } });
  expect([status, json.errors[0].parameter]).toEqual([422, 'messages']);
});

test('the list is filtered by what it is asked for, and what it cannot obey is refused', async () => {
  const { key: as } = await account('filters', 'out');
  const send = async (fields: Record<string, unknown>) => {
    const { status, json } = await ask('POST', '/messages', { as, body: { ...good, ...fields } });
    expect(status).toBe(201);
    return json.id as string;
  };
  const flash = await send({ type: 'flash', recipients: '31611111111,31622222222', originator: 'Flash' });
  const plain = await send({ recipients: '31622222222', body: 'Needle in hay' });
  const hour = new Date(Date.now() + 3_600_000).toISOString();
  const later = await send({ recipients: '31633333333', scheduledDatetime: hour });
  const found = async (query: string) => {
    const { status, json } = await ask('GET', `/messages?${query}`, { as });
    expect([status, json.totalCount], query).toEqual([200, json.items?.length]);
    return json.items.map(({ id }: { id: string }) => id);
  };
  expect(await found('')).toEqual([later, plain, flash]);
  expect(await found('recipient=31622222222')).toEqual([plain, flash]);
  expect(await found('recipient=31633333333')).toEqual([later]);
  expect(await found('recipient=31644444444')).toEqual([]);
  expect(await found('originator=Flash')).toEqual([flash]);
  expect(await found('type=flash')).toEqual([flash]);
  expect(await found('status=scheduled')).toEqual([later]);
  expect(await found('status=sent&direction=mt')).toEqual([plain, flash]);
  expect(await found('searchterm=needle')).toEqual([plain]);
  expect(await found('searchterm=3161111')).toEqual([flash]);
  const past = '2020-01-01T00:00:00%2B00:00';
  expect(await found(`from=${past}`)).toEqual([later, plain, flash]);
  expect(await found(`from=${past}&until=${past}`)).toEqual([]);
  const page = (await ask('GET', '/messages?status=sent&limit=1', { as })).json;
  expect(page).toMatchObject({ count: 1, totalCount: 2, items: [{ id: plain }] });
  const { pathname, search } = new URL(page.links.next);
  expect((await ask('GET', pathname + search, { as })).json).toMatchObject({
    ...{ offset: 1, limit: 1, totalCount: 2, items: [{ id: flash }] },
    links: { next: null },
  });
  for (const query of [
    'contact_id=1',
    'direction=mo',
    'status=lost',
    'type=mms',
    'limit=0',
    'limit=201',
    'from=x',
  ]) {
    const { status, json } = await ask('GET', `/messages?${query}`, { as });
    expect([status, json.errors[0].code, json.errors[0].parameter], query).toEqual([
      422,
      10,
      query.split('=')[0],
    ]);
  }
});

test('accounts see their own messages, and only those that came this way', async () => {
  const { json } = await ask('POST', '/messages', { body: good });
  const other = await account('other', 'out');
  const stranger = await ask('GET', `/messages/${json.id}`, { as: other.key });
  expect([stranger.status, stranger.json.errors[0].code]).toEqual([404, 20]);
  expect((await ask('GET', '/messages', { as: other.key })).json).toEqual({
    ...{ offset: 0, limit: 20, count: 0, totalCount: 0, items: [] },
    links: { first: null, previous: null, next: null, last: null },
  });
  const metadata = { messagebird: { type: 'sms', datacoding: 'plain', mclass: 1 } };
  const sent = await api.call('POST', '/v1/messages', { key, body: { to: '+31612345678', metadata } });
  const id = (sent.json.messages[0].id as string).replaceAll('-', '');
  expect((await ask('GET', `/messages/${id}`)).status).toBe(404);
  // And here they are what they are everywhere: messages of the account.
  const found = await api.call('GET', '/v1/messages?to=+31612345678', { key });
  expect(found.json.data.map((message: { id: string }) => message.id.replaceAll('-', ''))).toContain(json.id);
});

test('a type that the route cannot carry is refused, and so is everything without a route', async () => {
  const { key: texts } = await account('texts', 'texts');
  const flash = await ask('POST', '/messages', { as: texts, body: { ...good, type: 'flash' } });
  expect([flash.status, flash.json.errors[0]]).toMatchObject([422, { code: 10, parameter: 'type' }]);
  expect((await ask('POST', '/messages', { as: texts, body: good })).status).toBe(201);
  const { key: none } = await account('none');
  const refused = await ask('POST', '/messages', { as: none, body: good });
  expect([refused.status, refused.json.errors]).toMatchObject([
    422,
    [{ code: 2, description: expect.stringContaining('no default route'), parameter: null }],
  ]);
});

test('every refusal of the server wears the clothes of the classic API, whatever it is about', async () => {
  const { key: reader } = await api.makeAccount('reader', ['read']);
  const asked: [number, number, Promise<{ status: number; json: { errors: { code: number }[] } }>][] = [
    [401, 2, ask('POST', '/messages', { body: good, as: reader })],
    [401, 2, ask('GET', '/messages', { as: null })],
    [401, 2, ask('GET', '/messages', { as: null, headers: { authorization: `Bearer ${key}` } })],
    [422, 21, ask('POST', '/messages', { body: '{"originator"' })],
    [422, 21, ask('POST', '/messages', { body: '[]' })],
    [413, 21, ask('POST', '/messages', { body: { ...good, body: 'x'.repeat(70_000) } })],
    [404, 98, ask('GET', '/verify/x')],
    [404, 98, ask('GET', `/hlr?access_key=${key}`, { as: null })],
    [405, 21, ask('PUT', '/messages', { body: good })],
    [404, 20, ask('GET', '/messages/00000000000000000000000000000000')],
    // The official Python client sends a body along.
    [404, 20, ask('DELETE', '/messages/x', { body: {} })],
    [422, 10, ask('GET', '/balance?currency=EUR')],
    [422, 10, ask('POST', '/messages', { body: good, headers: { 'idempotency-key': 'k' } })],
  ];
  for (const [status, code, answer] of asked) {
    const { status: given, json } = await answer;
    expect([given, Object.keys(json), json.errors[0]!.code]).toEqual([status, ['errors'], code]);
  }
  // The other API keeps its own, and its own keys' header.
  const own = await api.call('GET', '/messages', { key: null, headers: {} });
  expect(own.json).toHaveProperty('errors');
  expect((await api.call('GET', '/v1/nothing')).json).toMatchObject({ code: 'not_found' });
});

test.each([
  ['daily quota', { limits: { messagesPerDay: 5 } }],
  ['balance', { prepaid: { currency: 'EUR', messageMicros: 1_000_000 } }],
])(
  'what the %s does not allow whole is refused whole, stored and charged for nothing',
  async (_name, settings) => {
    const customer = await account(`limited by ${_name}`, 'out');
    const changed = await api.call('PATCH', `/v1/accounts/${customer.id}`, { body: settings });
    expect([changed.status, changed.json]).toEqual([200, expect.anything()]);
    if ('prepaid' in settings) await giveCredit(customer.id, 5);
    const recipients = (count: number) => Array.from({ length: count }, (_, n) => `${31612345000 + n}`);
    const text = (count: number) => ({ ...good, recipients: recipients(count) });
    const post = (path: string, body: unknown) => ask('POST', path, { as: customer.key, body });
    const refused = [
      422,
      [{ code: 25, description: expect.stringMatching(/^not enough credit/), parameter: null }],
    ];

    const tooMany = await post('/messages', text(6));
    expect([tooMany.status, tooMany.json.errors]).toEqual(refused);
    const batch = await post('/messages/batches', { messages: [text(3), text(1), text(2)] });
    expect([batch.status, batch.json.errors]).toEqual(refused);
    expect(await booksOf(customer.id)).toEqual({ stored: 0, charged: 0 });
    // Both come at once, and just one fits.
    const both = await Promise.all([post('/messages', text(3)), post('/messages', text(3))]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 422]);
    expect(await booksOf(customer.id)).toEqual({ stored: 3, charged: 3 });
    expect((await post('/messages/batches', { messages: [text(1), text(1)] })).status).toBe(201);
    expect(await booksOf(customer.id)).toEqual({ stored: 5, charged: 5 });
  },
);

test('SMS are charged by the coding that a message asks for', async () => {
  const customer = await account('limited by SMS', 'out');
  await api.call('PATCH', `/v1/accounts/${customer.id}`, { body: { limits: { partsPerDay: 4 } } });
  const post = async (message: object) =>
    (await ask('POST', '/messages', { as: customer.key, body: { ...good, ...message } })).status;
  const used = async () => (await api.call('GET', `/v1/accounts/${customer.id}/usage`)).json.parts.used;
  const text = 'x'.repeat(100);
  expect(await post({ body: text, datacoding: 'unicode' })).toBe(201);
  expect(await used()).toBe(2);
  // Of 135 bytes, which are 270 letters.
  expect(await post({ body: '0a'.repeat(135), type: 'binary' })).toBe(201);
  expect(await used()).toBe(3);
  expect(await post({ body: text, datacoding: 'unicode' })).toBe(422);
  expect(await post({ body: text })).toBe(201);
  expect(await used()).toBe(4);
});

test('the balance of a prepaid account is what it has left, in its currency', async () => {
  const customer = await account('prepaid', 'out');
  const balance = async () => (await ask('GET', '/balance', { as: customer.key })).json;
  expect(await balance()).toEqual({ payment: 'postpaid', type: 'credits', amount: 0 });
  const prepaid = { currency: 'EUR', messageMicros: 250_000 };
  await api.call('PATCH', `/v1/accounts/${customer.id}`, { body: { prepaid } });
  await giveCredit(customer.id, 10);
  expect(await balance()).toEqual({ payment: 'prepaid', type: 'euros', amount: 10 });
  expect((await ask('POST', '/messages', { as: customer.key, body: good })).status).toBe(201);
  expect(await balance()).toEqual({ payment: 'prepaid', type: 'euros', amount: 9.75 });
});

async function giveCredit(id: string, amount: number): Promise<void> {
  const body = { amountMicros: amount * 1_000_000, currency: 'EUR', reason: 'a test' };
  const headers = { 'idempotency-key': `credit-${id}` };
  const given = await api.call('POST', `/v1/accounts/${id}/credit`, { body, headers });
  expect([given.status, given.json]).toEqual([200, expect.anything()]);
}

async function booksOf(id: string): Promise<{ stored: number; charged: number }> {
  const { rows } = await api.context.database.query<{ stored: number; charged: number }>(
    {
      name: '',
      text: `SELECT (SELECT coalesce(sum(count), 0)::int FROM chunk WHERE account_id = $1) AS stored,
        coalesce((SELECT messages::int FROM account_meter WHERE account_id = $1), 0) AS charged`,
    },
    [Number(id)],
  );
  return rows[0]!;
}
