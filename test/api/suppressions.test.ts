import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { suppressionLimits } from '../../src/message/suppression.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let key: string;
let accounts = 0;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

beforeEach(async () => {
  ({ key } = await api.makeAccount(`account ${++accounts}`, ['manage', 'read']));
});

const call = (method: string, path: string, body?: unknown, headers = {}) =>
  api.call(method, `/v1/suppressions${path}`, { key, body, headers });
const phone = (n: number) => `+3161234${1_000 + n}`;
const sms = (n: number, more = {}) => ({ to: phone(n), channel: 'sms', ...more });

test('one is added, shown by its id and by its address, changed and removed', async () => {
  const entry = { to: 'Ada@Example.COM', channel: 'email', reason: 'unsubscribed', ref: 'crm-7' };
  const made = await call('POST', '', entry);
  expect([made.status, made.json]).toMatchObject([201, { added: 1, errors: [] }]);
  const [{ id }] = made.json.suppressions;
  const shown = { id, channel: 'email', to: 'ada@example.com', reason: 'unsubscribed', ref: 'crm-7' };
  for (const place of [id, 'ada@example.com', 'ADA@example.com', encodeURIComponent('ada@example.com')]) {
    expect((await call('GET', `/${place}`)).json).toMatchObject(shown);
  }
  const changed = await call('PATCH', '/ada@example.com', { reason: 'complained', ref: null });
  expect(changed.json).toMatchObject({ ...shown, reason: 'complained', ref: null });
  expect((await call('PATCH', `/${id}`, { ref: 'x' })).json).toMatchObject({
    reason: 'complained',
    ref: 'x',
  });
  expect((await call('DELETE', `/${id}`)).json).toMatchObject({ id, to: 'ada@example.com' });
  for (const method of ['GET', 'DELETE']) {
    expect((await call(method, `/${id}`)).json).toMatchObject({ status: 404, code: 'not_found' });
  }
});

test('adding again changes nothing, also within a request', async () => {
  expect((await call('POST', '', sms(1, { reason: 'first' }))).json.added).toBe(1);
  const again = await call('POST', '', [sms(1, { reason: 'second' }), sms(2), sms(2)]);
  expect(again.json).toMatchObject({ added: 1, suppressions: [{ to: phone(1) }, { to: phone(2) }] });
  expect((await call('GET', `/${phone(1)}`)).json.reason).toBe('first');
});

test('what a channel cannot have is told element by element, and the others are added', async () => {
  const entries = [
    { to: 'ada@example.com', channel: 'sms' },
    sms(1),
    { to: '0612345678', channel: 'sms' },
    { to: 'https://example.com/', channel: 'email' },
    { to: 'bob@example.com', channel: 'email' },
  ];
  const { status, json } = await call('POST', '', entries);
  expect([status, json.added, json.errors.map(({ index }: { index: number }) => index)]).toEqual([
    201,
    2,
    [0, 2, 3],
  ]);
  expect(json.errors[0]).toMatchObject({
    code: 'invalid_recipient',
    detail: expect.stringMatching(/telephone number.*channel sms/),
  });
  const none = await call('POST', '', [entries[0], entries[2]]);
  expect(none.json).toMatchObject({
    status: 422,
    code: 'validation_failed',
    errors: [{ index: 0 }, { index: 1 }],
  });
});

test.each([
  [{ to: 'billing', channel: 'webhook' }, '/channel'],
  [{ to: phone(1) }, '/channel'],
  [{ channel: 'sms' }, '/to'],
  [{ ...sms(1), colour: 'red' }, '/colour'],
  [[], ''],
  [Array.from({ length: suppressionLimits.entriesMax + 1 }, (_, n) => sms(n)), ''],
  [[sms(1), { to: 7, channel: 'sms' }], '/1/to'],
  [{ ...sms(1), reason: 'x'.repeat(501) }, '/reason'],
])('what cannot be read is refused with its place: %#', async (body, pointer) => {
  const { json } = await call('POST', '', body);
  expect(json).toMatchObject({ status: 422, code: 'validation_failed' });
  expect(json.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
});

test('a list comes in pages, one channel after the other, each recipient once', async () => {
  const emails = Array.from({ length: 7 }, (_, n) => ({ to: `p${n}@example.com`, channel: 'email' }));
  for (let n = 0; n < 5; n++) await call('POST', '', [sms(3 * n), sms(3 * n + 1), sms(3 * n + 2)]);
  await call('POST', '', emails);
  const all: string[] = [];
  for (let after = '', pages = 0; ; pages++) {
    const page = (await call('GET', `?limit=4${after && `&after=${after}`}`)).json;
    all.push(...page.data.map(({ to }: { to: string }) => to));
    after = page.next;
    if (page.next === null) {
      expect(pages).toBe(5);
      break;
    }
  }
  expect(all.slice(0, 7).sort()).toEqual(emails.map(({ to }) => to));
  // Those of one request have no order among them.
  const groups = Array.from({ length: 5 }, (_, n) => all.slice(7 + 3 * n, 10 + 3 * n).sort());
  expect(groups.flat()).toEqual(Array.from({ length: 15 }, (_, n) => phone(n)));
  expect(all).toHaveLength(22);
  expect((await call('GET', '?channel=email')).json.data).toHaveLength(7);
  expect((await call('GET', '?channel=sms&limit=200')).json.data).toHaveLength(15);
  expect((await call('GET', '?after=sms.x.y')).json.code).toBe('validation_failed');
});

test('one is looked up by its number, with an undecoded plus as well', async () => {
  await call('POST', '', [sms(1), { to: 'ada@example.com', channel: 'email' }]);
  for (const query of [
    `to=${phone(1)}`,
    `to=${encodeURIComponent(phone(1))}`,
    `to=${phone(1)}&channel=sms`,
  ]) {
    expect((await call('GET', `?${query}`)).json).toMatchObject({ data: [{ to: phone(1) }], next: null });
  }
  for (const query of [`to=${phone(2)}`, 'to=nobody', `to=${phone(1)}&channel=email`]) {
    expect((await call('GET', `?${query}`)).json).toEqual({ data: [], next: null });
  }
});

test('an account sees and removes its own alone', async () => {
  const { id } = (await call('POST', '', sms(1))).json.suppressions[0];
  const other = await api.makeAccount(`other ${accounts}`, ['manage', 'read']);
  const asOther = (method: string, path: string, body?: unknown) =>
    api.call(method, `/v1/suppressions${path}`, { key: other.key, body });
  expect((await asOther('GET', '')).json.data).toEqual([]);
  for (const place of [id, phone(1)]) {
    expect((await asOther('GET', `/${place}`)).status).toBe(404);
    expect((await asOther('PATCH', `/${place}`, { reason: 'x' })).status).toBe(404);
    expect((await asOther('DELETE', `/${place}`)).status).toBe(404);
  }
  expect((await call('GET', `/${id}`)).json.reason).toBeNull();
});

test('reading needs the scope read, writing the scope manage', async () => {
  const reader = await api.makeAccount(`reader ${accounts}`, ['read']);
  const sender = await api.makeAccount(`sender ${accounts}`, ['send']);
  const status = async (method: string, as: { key: string }, body?: unknown) =>
    (await api.call(method, '/v1/suppressions', { key: as.key, body })).status;
  expect(await status('GET', reader)).toBe(200);
  expect(await status('POST', reader, sms(1))).toBe(403);
  expect([await status('GET', sender), await status('POST', sender, sms(1))]).toEqual([403, 403]);
});

test('an erased person is suppressed on, and nothing says who it is', async () => {
  const headers = { 'idempotency-key': `k${accounts}` };
  const entry = { to: 'Ada@example.com', channel: 'email', reason: 'Ada asked', ref: 'ada' };
  const { id } = (await call('POST', '', entry, headers)).json.suppressions[0];
  const changing = { 'idempotency-key': `c${accounts}` };
  const change = () => call('PATCH', '/ada@example.com', { reason: 'Ada Lovelace asked' }, changing);
  expect((await change()).json.reason).toBe('Ada Lovelace asked');
  const erased = await api.call('POST', '/v1/recipients/erase', { key, body: { to: 'ADA@example.com' } });
  expect(erased.json).toEqual({ messages: 0, answers: 2, suppressed: true, complete: true });
  expect((await change()).json).toMatchObject({ id, to: '', reason: null, ref: null });
  const shown = { id, to: null, reason: null, ref: null };
  expect((await call('GET', '/ada@example.com')).json).toMatchObject(shown);
  // What is erased stays so, although it is added again, or the first answer is asked for.
  expect((await call('POST', '', entry)).json.added).toBe(0);
  expect((await call('POST', '', entry, headers)).json.suppressions[0].to).toBe('');
  expect((await call('GET', '')).json.data).toMatchObject([shown]);
});
