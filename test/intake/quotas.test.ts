import { afterAll, beforeAll, expect, test } from 'vitest';
import { numbered, startIntake, storedMessages, type TestIntake } from './start-intake.ts';

/** Two servers on one database. The administrator's key is the first one's. */
let api: TestIntake;
let other: TestIntake;
beforeAll(async () => {
  api = await startIntake();
  other = await startIntake({ wayTo: async () => api.databaseUrl });
});
afterAll(async () => {
  await other.stop();
  await api.stop();
});

interface Customer {
  id: string;
  key: string;
}

let made = 0;

async function customer(settings: Record<string, unknown>): Promise<Customer> {
  const account = await api.call('POST', '/v1/accounts', { body: { name: `c${++made}`, ...settings } });
  expect(account.status).toBe(201);
  const { id } = account.json;
  const key = await api.call('POST', '/v1/keys', { body: { accountId: id, scopes: ['send', 'read'] } });
  await other.context.control.refresh();
  return { id, key: key.json.key };
}

function messages(count: number): { to: string; route: string }[] {
  return Array.from({ length: count }, (_, n) => ({ to: `+3161${1_000_000 + n}`, route: 'r' }));
}

function post({ key }: Customer, body: unknown, { at = api, headers = {} }: PostOptions = {}) {
  return at.call('POST', '/v1/messages', { key, body, headers });
}

interface PostOptions {
  at?: TestIntake;
  headers?: Record<string, string>;
}

/** Messages of the account in the database, and what its meter says. */
async function books({ id }: Customer): Promise<{ stored: number; charged: number }> {
  const { rows } = await api.database.query<{ stored: number; charged: number }>(
    {
      name: 'test_books',
      text: `SELECT (SELECT coalesce(sum(count), 0)::int FROM chunk WHERE account_id = $1) AS stored,
        coalesce((SELECT messages::int FROM account_meter WHERE account_id = $1), 0) AS charged`,
    },
    [Number(id)],
  );
  return rows[0]!;
}

test('many requests at once on two servers get exactly the quota, and others all that they send', async () => {
  const quota = 200;
  const limited = await customer({ limits: { messagesPerDay: quota } });
  const free = await customer({});
  const requests = Array.from({ length: 60 }, (_, n) => ({
    at: n % 2 === 0 ? api : other,
    count: 1 + (n % 9),
    headers: n % 3 === 0 ? { 'idempotency-key': `many-${n}` } : {},
  }));
  const sent = requests.map(async ({ at, count, headers }) => {
    const [mine, others] = await Promise.all([
      post(limited, messages(count), { at, headers }),
      post(free, messages(count), { at }),
    ]);
    return { count, mine, others };
  });
  const answers = await Promise.all(sent);
  const accepted = answers.flatMap(({ mine }) => mine.json.messages ?? []) as { id: string }[];
  expect(accepted).toHaveLength(quota);
  expect(new Set(accepted.map(({ id }) => id)).size).toBe(quota);
  expect(await books(limited)).toEqual({ stored: quota, charged: quota });
  for (const { count, mine, others } of answers) {
    expect([202, 429]).toContain(mine.status);
    expect((mine.json.messages?.length ?? 0) + mine.json.errors.length).toBe(count);
    expect([others.status, others.json.messages.length]).toEqual([202, count]);
  }
  const total = requests.reduce((sum, { count }) => sum + count, 0);
  expect(total).toBeGreaterThan(quota);
  // Who has no limit has no meter.
  expect(await books(free)).toEqual({ stored: total, charged: 0 });
});

test('what does not fit is refused by itself, and then everything until the day ends', async () => {
  const limited = await customer({ limits: { messagesPerDay: 5 } });
  const { status, json } = await post(limited, [
    ...messages(3),
    { to: 'nobody', route: 'r' },
    ...messages(4),
  ]);
  expect(status).toBe(202);
  expect(json.messages).toHaveLength(5);
  expect(json.errors.map(({ index, code }: { index: number; code: string }) => [index, code])).toEqual([
    [3, 'invalid_recipient'],
    [6, 'quota_exceeded'],
    [7, 'quota_exceeded'],
  ]);
  const more = await post(limited, messages(2)[0]);
  expect([more.status, more.json.code]).toEqual([429, 'quota_exceeded']);
  const left = Number(more.headers.get('retry-after'));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(86_400);
  expect(await books(limited)).toEqual({ stored: 5, charged: 5 });
});

test('a request that is repeated is charged once, also one of which a part was refused', async () => {
  const limited = await customer({ limits: { messagesPerDay: 12 } });
  const died = `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() WHERE account_id = $1`;
  const send = () => post(limited, messages(8), { headers: { 'idempotency-key': 'first' } });
  const cut = () => post(limited, messages(7), { at: other, headers: { 'idempotency-key': 'cut' } });
  const first = await send();
  expect(first.json.messages).toHaveLength(8);
  const second = await cut();
  expect(second.json.messages).toHaveLength(4);
  expect((await cut()).text).toBe(second.text);
  // The tries died before they were answered.
  for (let again = 0; again < 2; again++) {
    await api.database.query({ name: '', text: died }, [Number(limited.id)]);
    expect((await send()).json.messages).toEqual(first.json.messages);
    expect((await cut()).json).toMatchObject({
      messages: second.json.messages,
      errors: [4, 5, 6].map((index) => ({ index, code: 'quota_exceeded' })),
    });
    expect(await books(limited)).toEqual({ stored: 12, charged: 12 });
  }
  // Without the limit nothing of the refused ones is told to be there.
  await api.call('PATCH', `/v1/accounts/${limited.id}`, { body: { limits: {} } });
  await api.database.query({ name: '', text: died }, [Number(limited.id)]);
  const afterwards = await post(limited, messages(7), { headers: { 'idempotency-key': 'cut' } });
  expect(afterwards.json.messages).toEqual(second.json.messages);
});

test('a new limit holds for the next message, and a new day begins from nothing', async () => {
  const limited = await customer({ limits: { messagesPerDay: 2 } });
  expect((await post(limited, messages(3))).json.messages).toHaveLength(2);
  await api.call('PATCH', `/v1/accounts/${limited.id}`, { body: { limits: { messagesPerDay: 3 } } });
  // The other server need not have heard of it: it reads it with the charge.
  expect((await post(limited, messages(3), { at: other })).json.messages).toHaveLength(1);
  await api.database.query(
    { name: '', text: 'UPDATE account_meter SET day = day - 1 WHERE account_id = $1' },
    [Number(limited.id)],
  );
  expect((await post(limited, messages(4))).json.messages).toHaveLength(3);
  expect(await books(limited)).toEqual({ stored: 6, charged: 3 });
});

test('messages with ordering keys are charged on whatever shards they lie', async () => {
  const limited = await customer({ limits: { messagesPerDay: 30 } });
  const body = messages(50).map((message, n) => ({ ...message, orderingKey: `k${n % 10}` }));
  const { json } = await post(limited, body);
  expect(json.messages).toHaveLength(30);
  expect(json.errors).toHaveLength(20);
  expect(await books(limited)).toEqual({ stored: 30, charged: 30 });
});

function upload({ key }: Customer, path: string, { at = api, body, headers = {} }: UploadOptions) {
  return at.call('POST', path, {
    key,
    body,
    headers: { 'content-type': 'application/x-ndjson', ...headers },
  });
}

interface UploadOptions extends PostOptions {
  body: string;
}

/** The account may send its whole quota again. */
async function nextDay({ id }: Customer): Promise<void> {
  const text = 'UPDATE account_meter SET day = day - 1 WHERE account_id = $1';
  await api.database.query({ name: '', text }, [Number(id)]);
}

function linesFrom(body: string, line: number): string {
  return body
    .split('\n')
    .slice(line - 1)
    .join('\n');
}

async function refsOf(batch: string): Promise<number[]> {
  const stored = await storedMessages(api.database, batch);
  return stored.map(({ ref }) => Number(ref)).sort((a, b) => a - b);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

test('uploads on two servers beside single messages are taken up to the quota, each to a line, and go on there', async () => {
  const quota = 7_000;
  const lines = 3_500;
  const limited = await customer({ limits: { messagesPerDay: quota } });
  const body = numbered(lines);
  const [uploads, singles] = await Promise.all([
    Promise.all(
      [0, 1, 2, 3].map((n) => upload(limited, '/v1/batches?route=r', { at: n % 2 ? api : other, body })),
    ),
    Promise.all([0, 1, 2, 3].map((n) => post(limited, messages(50), { at: n % 2 ? api : other }))),
  ]);
  const taken = singles.reduce((sum, { json }) => sum + (json.messages?.length ?? 0), 0);
  expect(uploads.filter(({ status }) => status === 201).length).toBeLessThan(2);
  expect(await books(limited)).toEqual({ stored: quota, charged: quota });
  let inBatches = 0;
  for (const { status, json, headers } of uploads) {
    if (status === 201) {
      inBatches += json.counts.accepted;
      continue;
    }
    expect([status, json.code]).toEqual([429, 'quota_exceeded']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    const { batchId, nextLine } = json;
    expect(await refsOf(batchId)).toEqual(upTo(nextLine - 1));
    inBatches += nextLine - 1;
  }
  expect(inBatches + taken).toBe(quota);

  const broken = uploads.filter(({ status }) => status === 429);
  for (const { json } of broken) {
    await nextDay(limited);
    const { batchId, nextLine } = json;
    const answer = await upload(limited, `/v1/batches/${batchId}/messages?close=true`, {
      body: linesFrom(body, nextLine),
      headers: { 'upload-line': String(nextLine) },
    });
    expect([answer.status, answer.json.accepted]).toEqual([200, lines - nextLine + 1]);
    expect(await refsOf(batchId)).toEqual(upTo(lines));
  }
});

test.each([
  ['plain', (n: number) => `{"to":"+3161${1_000_000 + n}","ref":"${n}"}`],
  ['ordered', (n: number) => `{"to":"+3161${1_000_000 + n}","ref":"${n}","orderingKey":"k${n % 50}"}`],
  [
    'mixed',
    (n: number) => `{"to":"+3161${1_000_000 + n}","ref":"${n}"${n % 3 ? '' : `,"orderingKey":"k${n % 50}"`}}`,
  ],
])('an upload of %s lines ends behind the last that fits, among blank and bad ones', async (_, line) => {
  const limited = await customer({ limits: { messagesPerDay: 1_203 } });
  // Each message is followed by a blank line, every tenth by a bad one as well.
  const body = upTo(2_000)
    .map((n) => `${line(n)}\n\n${n % 10 === 9 ? 'bad\n' : ''}`)
    .join('');
  const first = await upload(limited, '/v1/batches?route=r', { body });
  expect([first.status, first.json.code]).toEqual([429, 'quota_exceeded']);
  const { batchId, nextLine } = first.json;
  expect(await refsOf(batchId)).toEqual(upTo(1_203));
  expect(JSON.parse(body.split('\n')[nextLine - 2]!).ref).toBe('1202');
  expect(await books(limited)).toEqual({ stored: 1_203, charged: 1_203 });
  // On the same day nothing more.
  const path = `/v1/batches/${batchId}/messages?close=true`;
  const rest = { body: linesFrom(body, nextLine), headers: { 'upload-line': String(nextLine) } };
  const again = await upload(limited, path, rest);
  expect([again.status, again.json.nextLine]).toEqual([429, nextLine]);
  await nextDay(limited);
  expect((await upload(limited, path, rest)).json).toMatchObject({ accepted: 797, rejected: 80 });
  expect(await refsOf(batchId)).toEqual(upTo(2_000));
  expect((await api.call('GET', `/v1/batches/${batchId}`, { key: limited.key })).json.counts).toMatchObject({
    accepted: 2_000,
    rejected: 200,
  });
});

test('an upload that is sent again with its key is charged for what is new alone', async () => {
  const limited = await customer({ limits: { messagesPerDay: 1_500 } });
  const body = numbered(2_500);
  const send = () =>
    upload(limited, '/v1/batches?route=r', { body, headers: { 'idempotency-key': 'whole' } });
  const first = await send();
  expect([first.status, first.json.nextLine]).toEqual([429, 1_501]);
  await nextDay(limited);
  const second = await send();
  expect([second.status, second.json.counts.accepted]).toEqual([201, 2_500]);
  expect((await send()).text).toBe(second.text);
  expect(await refsOf(second.json.id)).toEqual(upTo(2_500));
  expect(await books(limited)).toEqual({ stored: 2_500, charged: 1_000 });
});

test('a prepaid account sends what its balance pays for, and each credit counts once', async () => {
  const prepaid = { currency: 'EUR', messageMicros: 75_000 };
  const shop = await customer({ prepaid });
  const before = await post(shop, messages(1)[0]);
  expect([before.status, before.json.code, before.headers.get('retry-after')]).toEqual([
    402,
    'credit_exhausted',
    null,
  ]);

  const path = `/v1/accounts/${shop.id}/credit`;
  const credit = { amountMicros: 1_000_000, currency: 'EUR', reason: 'invoice 1' };
  const give = (key: string, body: unknown = credit) =>
    api.call('POST', path, { body, headers: { 'idempotency-key': key } });
  const first = await give('c1');
  expect([first.status, first.json.balanceMicros]).toEqual([200, 1_000_000]);
  // Its answer was lost: the try did everything but tell.
  const died = `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() WHERE key = 'c1'`;
  await api.database.query({ name: '', text: died });
  expect((await give('c1')).json).toEqual(first.json);
  expect((await api.call('POST', path, { body: credit })).status).toBe(400);
  expect((await give('c2', { ...credit, currency: 'USD' })).status).toBe(409);
  const change = { body: { prepaid: { ...prepaid, currency: 'USD' } } };
  expect((await api.call('PATCH', `/v1/accounts/${shop.id}`, change)).status).toBe(409);

  // 13 messages are 0.975, and the next one 0.075.
  const sent = await Promise.all(
    Array.from({ length: 20 }, (_, n) => post(shop, messages(1)[0], { at: n % 2 ? api : other })),
  );
  expect(sent.filter(({ status }) => status === 202)).toHaveLength(13);
  expect(sent.filter(({ status }) => status === 402)).toHaveLength(7);
  const usage = async () => (await api.call('GET', `/v1/accounts/${shop.id}/usage`, { key: shop.key })).json;
  expect(await usage()).toMatchObject({
    metered: true,
    messages: { used: 13, limit: null, left: null },
    prepaid: { currency: 'EUR', balanceMicros: 25_000, spentMicros: 975_000 },
  });

  await give('c3', { ...credit, amountMicros: 50_000, reason: 'goodwill' });
  const cut = await upload(shop, '/v1/batches?route=r', { body: numbered(3) });
  expect([cut.status, cut.json.code, cut.json.nextLine]).toEqual([402, 'credit_exhausted', 2]);
  await give('c4', { ...credit, amountMicros: 150_000 });
  const rest = await upload(shop, `/v1/batches/${cut.json.batchId}/messages`, {
    body: linesFrom(numbered(3), 2),
    headers: { 'upload-line': '2' },
  });
  expect([rest.status, rest.json.accepted]).toEqual([200, 2]);
  expect((await usage()).prepaid).toMatchObject({ balanceMicros: 0, spentMicros: 1_200_000 });
  const { rows } = await api.database.query<{ reason: string; amount: number; by: boolean }>(
    {
      name: 'test_ledger',
      text: `SELECT reason, amount_micros::int AS amount, key_id IN (SELECT id FROM api_key) AS by
        FROM account_credit WHERE account_id = $1 ORDER BY at`,
    },
    [Number(shop.id)],
  );
  expect(rows.map(({ reason, amount, by }) => [reason, amount, by])).toEqual([
    ['invoice 1', 1_000_000, true],
    ['goodwill', 50_000, true],
    ['invoice 1', 150_000, true],
  ]);
});

test('usage is shown to administrators and to the account itself', async () => {
  const [mine, theirs] = [await customer({ limits: { messagesPerDay: 10 } }), await customer({})];
  await post(mine, messages(4));
  const look = (id: string, key?: string) =>
    api.call('GET', `/v1/accounts/${id}/usage`, key === undefined ? {} : { key });
  const own = await look(mine.id, mine.key);
  expect(own.json).toMatchObject({ metered: true, messages: { used: 4, limit: 10, left: 6 }, prepaid: null });
  expect(new Date(own.json.nextDayAt).getTime() - new Date(own.json.day).getTime()).toBe(86_400_000);
  expect((await look(mine.id)).json).toEqual(own.json);
  expect((await look(theirs.id)).json).toMatchObject({ metered: false, messages: { used: 0, limit: null } });
  expect((await look(theirs.id, mine.key)).status).toBe(404);
});

test('the SMS that messages take are counted by their text, in requests and in uploads', async () => {
  const limited = await customer({ limits: { partsPerDay: 10 } });
  const long = 'x'.repeat(161);
  const to = '+31612345678';
  // Two, one, one (it is no SMS), and two of UCS-2.
  const body = [
    { to, route: 'r', body: long },
    { to, route: 'r', body: 'short' },
    { to: 'ada@example.com', route: 'r', body: long },
    { to, route: 'r', body: 'я'.repeat(71) },
  ];
  expect((await post(limited, body)).json.messages).toHaveLength(4);
  const usage = async () => (await api.call('GET', `/v1/accounts/${limited.id}/usage`)).json;
  expect((await usage()).parts).toEqual({ used: 6, limit: 10, left: 4 });
  // The batch's text is that of lines without one. Two and one fit; two more do not.
  const lines = [{ to }, { to, body: 'short', orderingKey: 'k' }, { to }, { to, body: 'short' }];
  const made = await api.call('POST', '/v1/batches', { key: limited.key, body: { route: 'r', body: long } });
  const sent = await upload(limited, `/v1/batches/${made.json.id}/messages`, {
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  });
  expect([sent.status, sent.json.code, sent.json.nextLine]).toEqual([429, 'quota_exceeded', 3]);
  expect((await usage()).parts).toEqual({ used: 9, limit: 10, left: 1 });
  const last = await post(limited, [body[0], body[1], body[1]]);
  expect([last.status, last.json.code]).toEqual([429, 'quota_exceeded']);
  expect((await post(limited, [body[1], body[1]])).json.messages).toHaveLength(1);

  const shop = await customer({ prepaid: { currency: 'EUR', messageMicros: 10, partMicros: 100 } });
  const credit = { amountMicros: 330, currency: 'EUR', reason: 'test' };
  const headers = { 'idempotency-key': 'parts' };
  await api.call('POST', `/v1/accounts/${shop.id}/credit`, { body: credit, headers });
  expect((await post(shop, [body[0], body[1], body[1]])).json.messages).toHaveLength(2);
  const left = await api.call('GET', `/v1/accounts/${shop.id}/usage`);
  expect(left.json.prepaid).toMatchObject({ balanceMicros: 10, spentMicros: 320 });
});

/** Makes a template of the customer, or its next version. */
async function template({ id }: Customer, name: string, body: string, { isNew = true } = {}): Promise<void> {
  const { json } = await api.call('POST', '/v1/keys', { body: { accountId: id, scopes: ['manage'] } });
  const answer = await (isNew
    ? api.call('POST', '/v1/templates', { key: json.key, body: { name, channel: 'sms', body } })
    : api.call('PATCH', `/v1/templates/${name}`, { key: json.key, body: { body } }));
  expect(answer.status).toBe(isNew ? 201 : 200);
}

/** As far as these are stored: what is sent to each. */
async function textsOf({ key }: Customer, ids: readonly string[]): Promise<string[]> {
  const shown = await Promise.all(ids.map((id) => api.call('GET', `/v1/messages/${id}`, { key })));
  return shown.map(({ json }) => json.body);
}

const partsUsed = async ({ id }: Customer): Promise<number> =>
  (await api.call('GET', `/v1/accounts/${id}/usage`)).json.parts.used;

test('messages that name a template are charged for what their version makes of their parameters', async () => {
  const limited = await customer({ limits: { partsPerDay: 9 } });
  await template(limited, 'hello', 'Hello {{ name }}');
  const message = (letter: string, count: number, to = '+31612345678') => ({
    ...{ to, route: 'r', template: 'hello', params: { name: letter.repeat(count) } },
  });
  // One and two of the GSM alphabet, one and two of UCS-2.
  const sizes = [message('x', 154), message('x', 155), message('я', 64), message('я', 65)];
  const taken: number[] = [];
  for (const one of sizes) {
    const before = await partsUsed(limited);
    expect((await post(limited, one)).status).toBe(202);
    taken.push((await partsUsed(limited)) - before);
  }
  expect(taken).toEqual([1, 2, 1, 2]);
  // By the new version the first takes two SMS, by the old one it would take one. Of three that fit one by one, one fits.
  await template(limited, 'hello', 'Hello, {{ name }}', { isNew: false });
  const { json } = await post(limited, [sizes[0], sizes[0], sizes[0]]);
  expect(json.messages).toHaveLength(1);
  expect(json.errors.map(({ code }: { code: string }) => code)).toEqual(['quota_exceeded', 'quota_exceeded']);
  expect(await textsOf(limited, [json.messages[0].id])).toEqual([`Hello, ${'x'.repeat(154)}`]);
  expect(await partsUsed(limited)).toBe(8);
  // Who pays by messages is not charged for more.
  const free = await customer({ limits: { messagesPerDay: 2 } });
  await template(free, 'hello', 'Hello {{ name }}');
  expect((await post(free, [sizes[1], sizes[3]])).json.messages).toHaveLength(2);
});

test.each([
  ['plain', {}],
  ['ordered', { orderingKey: 'k' }],
])('an upload of %s lines with templates ends behind the last whose SMS fit', async (_, ordered) => {
  const limited = await customer({ limits: { partsPerDay: 1_000 } });
  await template(limited, 'own', 'Own {{ name }}');
  await template(limited, 'shared', 'Dear {{ name }} of {{ place }}');
  const text = (n: number) => 'y'.repeat((n * 37) % 400);
  const ways = [
    // "Own ", and "Dear " and " of here" with the batch's place.
    (n: number) => ({ line: { template: 'own', params: { name: text(n) } }, sent: `Own ${text(n)}` }),
    (n: number) => ({ line: { params: { name: text(n) } }, sent: `Dear ${text(n)} of here` }),
    (n: number) => ({
      line: { params: { name: text(n), place: 'я' } },
      sent: `Dear ${text(n)} of я`,
    }),
  ];
  const all = upTo(900).map((n) => ways[n % 3]!(n));
  const body = all
    .map(({ line }, n) => JSON.stringify({ to: `+3161${1_000_000 + n}`, ref: `${n}`, ...ordered, ...line }))
    .join('\n');
  const partsOf = ({ sent }: { sent: string }) => {
    const [one, each] = sent.includes('я') ? [70, 67] : [160, 153];
    return sent.length <= one ? 1 : Math.ceil(sent.length / each);
  };
  let fits = 0;
  let parts = 0;
  while (parts + partsOf(all[fits]!) <= 1_000) parts += partsOf(all[fits++]!);
  expect(fits).toBeGreaterThan(100);
  expect(fits).toBeLessThan(800);

  const batch = { route: 'r', template: 'shared', params: { place: 'here' } };
  const made = await api.call('POST', '/v1/batches', { key: limited.key, body: batch });
  const path = `/v1/batches/${made.json.id}/messages`;
  const cut = await upload(limited, path, { body });
  expect([cut.status, cut.json.code, cut.json.nextLine]).toEqual([429, 'quota_exceeded', fits + 1]);
  expect(await refsOf(made.json.id)).toEqual(upTo(fits));
  expect(await partsUsed(limited)).toBe(parts);
  // What was cut says what it was charged for.
  const exported = await api.call('GET', `/v1/batches/${made.json.id}/export`, { key: limited.key });
  const texts = exported.text
    .trim()
    .split('\n')
    // The last line tells that it is all.
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { ref: string; body: string })
    .map(({ ref, body: sent }) => [ref, sent] as const);
  expect(new Map(texts)).toEqual(new Map(all.slice(0, fits).map(({ sent }, n) => [`${n}`, sent])));
});
