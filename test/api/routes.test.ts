import { afterAll, beforeAll, expect, test } from 'vitest';
import { breakerDefaults } from '../../src/message/route.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
const url = 'https://provider.example/messages';
const secret = 'Bearer provider-secret';

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

test('a route is made with the documented defaults, replaced as a whole, and deleted', async () => {
  const made = await api.call('PUT', '/v1/routes/main', { body: { connector: 'http', url } });
  expect(made.status).toBe(201);
  expect(made.json).toMatchObject({
    name: 'main',
    connector: 'http',
    channel: null,
    url,
    ratePerSecond: null,
    concurrency: 64,
    retry: { attemptsMax: 50, backoffMinMs: 1_000, backoffMaxMs: 900_000, expireAfterMs: 86_400_000 },
    onUncertain: 'resend',
    accounts: null,
    paused: false,
  });
  expect((await api.call('GET', '/v1/routes/main')).json).toEqual(made.json);
  const version = api.context.control.routeByName('main')?.version;

  const body = { connector: 'http', url, channel: 'sms', ratePerSecond: 2.5, retry: { attemptsMax: 3 } };
  const replaced = await api.call('PUT', '/v1/routes/main', { body });
  expect(replaced.status).toBe(200);
  expect(replaced.json).toMatchObject({ channel: 'sms', ratePerSecond: 2.5 });
  expect(replaced.json.retry).toMatchObject({ attemptsMax: 3, backoffMinMs: 1_000 });
  expect(api.context.control.routeByName('main')?.version).toBe(version! + 1);

  const { id } = api.context.control.routeByName('main')!;
  expect((await api.call('DELETE', '/v1/routes/main')).json.name).toBe('main');
  expect((await api.call('GET', '/v1/routes/main')).status).toBe(404);
  expect((await api.call('DELETE', '/v1/routes/main')).status).toBe(404);
  expect(api.context.control.routeByName('main')).toBeUndefined();
  expect(api.context.control.routeById(id)).toMatchObject({ deleted: true, channel: 'sms' });
});

test('a paused route is not deleted while messages wait for it: they could not be let go any more', async () => {
  await api.call('PUT', '/v1/routes/held', { body: { connector: 'http', url } });
  await api.call('POST', '/v1/routes/held/pause');
  const message = { to: '+31612345678', body: 'x', route: 'held' };
  expect((await api.call('POST', '/v1/messages', { body: message })).status).toBe(202);
  const refused = await api.call('DELETE', '/v1/routes/held');
  expect(refused).toMatchObject({
    status: 409,
    json: { detail: expect.stringContaining('resume it first') },
  });
  await api.call('POST', '/v1/routes/held/resume');
  expect((await api.call('DELETE', '/v1/routes/held')).status).toBe(200);
  await api.call('PUT', '/v1/routes/empty', { body: { connector: 'http', url } });
  await api.call('POST', '/v1/routes/empty/pause');
  expect((await api.call('DELETE', '/v1/routes/empty')).status).toBe(200);
});

test('a webhook route has the channel, the retries and the limit of its kind, and can be given back as it is shown', async () => {
  const secrets = [{ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }];
  const made = await api.call('PUT', '/v1/routes/hooks', { body: { connector: 'webhook', secrets } });
  expect(made.status).toBe(201);
  const waitsMs = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000];
  expect(made.json).toMatchObject({
    channel: 'webhook',
    destinations: [{ match: '*', concurrency: 16 }],
    breaker: false,
    onUncertain: 'resend',
  });
  expect(made.json.retry).toEqual({ waitsMs, attemptsMax: 8, expireAfterMs: 259_200_000 });
  const {
    name: _,
    paused: _p,
    createdAt: _c,
    updatedAt: _u,
    ratePerSecond: _r,
    accounts: _a,
    receiptsUrl: _url,
    sendWindow: _w,
    ...shown
  } = made.json;
  const again = await api.call('PUT', '/v1/routes/hooks', { body: shown });
  expect(again.json).toMatchObject(shown);

  const put = async (body: object) =>
    (await api.call('PUT', '/v1/routes/hooks', { body: { connector: 'webhook', secrets, ...body } })).json;
  expect((await put({ retry: { waitsMs: [1_000, 2_000] } })).retry).toMatchObject({
    attemptsMax: 3,
    waitsMs: [1_000, 2_000],
  });
  expect((await put({ retry: { backoffMinMs: 50 } })).retry).toEqual({
    ...{ attemptsMax: 50, backoffMinMs: 50, backoffMaxMs: 900_000, expireAfterMs: 86_400_000 },
  });
  expect(await put({ channel: 'sms' })).toMatchObject({ errors: [{ pointer: '/channel' }] });
  expect(await put({ breaker: { openMs: 500 } })).toMatchObject({ errors: [{ pointer: '/breaker' }] });
  expect((await put({ destinations: [{ match: '*', concurrency: 64 }] })).destinations).toEqual([
    { match: '*', concurrency: 64 },
  ]);
});

test('the preset of a route says what its recipients are', async () => {
  const body = { connector: 'http', preset: 'sendgrid', apiKey: 'SG.x' };
  expect((await api.call('PUT', '/v1/routes/mail', { body })).json).toMatchObject({ channel: 'email' });
  const wrong = await api.call('PUT', '/v1/routes/mail', { body: { ...body, channel: 'sms' } });
  expect(wrong.json).toMatchObject({
    errors: [{ pointer: '/channel', detail: 'must be email, or left out' }],
  });
});

test('only administrators see the settings of a route', async () => {
  const { key } = await api.makeAccount('Reader', ['read']);
  await api.call('PUT', '/v1/routes/guarded', {
    body: { connector: 'http', url, headers: { authorization: secret } },
  });
  expect((await api.call('GET', '/v1/routes/guarded')).json.headers).toEqual({ authorization: secret });

  const shown = await api.call('GET', '/v1/routes/guarded', { key });
  expect(shown.json).toEqual({ name: 'guarded', connector: 'http', channel: null, paused: false });
  const listed = await api.call('GET', '/v1/routes', { key });
  expect(listed.json.data).toContainEqual(shown.json);
  expect(shown.text + listed.text).not.toContain('secret');
  for (const method of ['PUT', 'DELETE']) {
    const answer = await api.call(method, '/v1/routes/guarded', { key, body: { connector: 'http', url } });
    expect(answer.status).toBe(403);
  }
});

test('a route of one account is not there for another', async () => {
  const mine = await api.makeAccount('Mine', ['read']);
  const other = await api.makeAccount('Not mine', ['read']);
  await api.call('PUT', '/v1/routes/exclusive', { body: { connector: 'http', url, accounts: [mine.id] } });
  const names = async (key: string) =>
    (await api.call('GET', '/v1/routes', { key })).json.data.map(({ name }: { name: string }) => name);
  expect(await names(mine.key)).toContain('exclusive');
  expect(await names(other.key)).not.toContain('exclusive');
  expect((await api.call('GET', '/v1/routes/exclusive', { key: mine.key })).status).toBe(200);
  expect((await api.call('GET', '/v1/routes/exclusive', { key: other.key })).status).toBe(404);
});

test('pages of routes go by name and skip nothing', async () => {
  for (const name of ['z-last', 'a-first', 'm.middle', 'm-middle']) {
    await api.call('PUT', `/v1/routes/${name}`, { body: { connector: 'http', url } });
  }
  const whole = (await api.call('GET', '/v1/routes?limit=200')).json;
  const seen: { name: string }[] = [];
  for (let next: string | null = ''; next !== null; ) {
    const page: { data: { name: string }[]; next: string | null } = (
      await api.call('GET', `/v1/routes?limit=1${next && `&after=${next}`}`)
    ).json;
    seen.push(...page.data);
    next = page.next;
  }
  expect(seen).toEqual(whole.data);
  const names = seen.map(({ name }) => name);
  expect(names).toEqual([...names].sort());
});

const good = { connector: 'http', url };
test.each<[Record<string, unknown>, string]>([
  [{}, '/connector'],
  [{ connector: 'pigeon' }, '/connector'],
  [{ connector: 'http' }, '/url'],
  [{ connector: 'http', url: 'ftp://x' }, '/url'],
  [{ ...good, colour: 'red' }, '/colour'],
  [{ ...good, channel: 'fax' }, '/channel'],
  [{ ...good, concurrency: 0 }, '/concurrency'],
  [{ ...good, concurrency: 1_001 }, '/concurrency'],
  [{ ...good, ratePerSecond: 0 }, '/ratePerSecond'],
  [{ ...good, ratePerSecond: '5' }, '/ratePerSecond'],
  [{ ...good, retry: { attemptsMax: 0 } }, '/retry/attemptsMax'],
  [{ ...good, retry: { backoffMinMs: 5_000, backoffMaxMs: 1_000 } }, '/retry/backoffMaxMs'],
  [{ ...good, retry: { tries: 1 } }, '/retry/tries'],
  [{ ...good, retry: { waitsMs: [] } }, '/retry/waitsMs'],
  [{ ...good, retry: { waitsMs: [0] } }, '/retry/waitsMs/0'],
  [{ ...good, retry: { waitsMs: [1_000], backoffMinMs: 5 } }, '/retry/waitsMs'],
  [{ ...good, breaker: true }, '/breaker'],
  [{ ...good, breaker: { failures: 5 } }, '/breaker/failures'],
  [{ ...good, breaker: { failureRatio: 0 } }, '/breaker/failureRatio'],
  [{ ...good, breaker: { openMs: 100_000 } }, '/breaker/openMaxMs'],
  [{ ...good, destinations: [] }, '/destinations'],
  [{ ...good, destinations: [{ match: '+31' }] }, '/destinations/0'],
  [{ ...good, destinations: [{ match: '+31', ratePerSecond: 0 }] }, '/destinations/0/ratePerSecond'],
  [{ ...good, destinations: [{ match: '+31', concurrency: 1_001 }] }, '/destinations/0/concurrency'],
  [{ ...good, destinations: [{ match: '+31', perSecond: 1 }] }, '/destinations/0/perSecond'],
  [{ ...good, destinations: [{ match: '31', ratePerSecond: 1 }], channel: 'sms' }, '/destinations/0/match'],
  [{ ...good, destinations: [{ match: '*', ratePerSecond: 1 }], channel: 'sms' }, '/destinations/0/match'],
  [
    {
      ...good,
      destinations: ['a.example', 'A.example'].map((match) => ({ match, concurrency: 1 })),
    },
    '/destinations/1/match',
  ],
  [
    { ...good, destinations: Array.from({ length: 101 }, (_, n) => ({ match: `+3${n}`, concurrency: 1 })) },
    '/destinations',
  ],
  [{ ...good, accounts: [] }, '/accounts'],
  [{ ...good, accounts: ['nobody'] }, '/accounts/0'],
  [{ ...good, accounts: ['1', '999999'] }, '/accounts/1'],
])('%j is refused with its place', async (body, pointer) => {
  const answer = await api.call('PUT', '/v1/routes/bad', { body });
  expect([answer.status, answer.json.code]).toEqual([422, 'validation_failed']);
  expect(answer.json.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
});

test('a breaker that is none is told what there is', async () => {
  const { status, json } = await api.call('PUT', '/v1/routes/bad', { body: { ...good, breaker: null } });
  const detail = 'must be false or an object';
  expect([status, json.detail]).toEqual([422, `body /breaker: ${detail}`]);
  expect(json.errors).toEqual([{ pointer: '/breaker', code: 'wrong_type', detail }]);
});

test('limits of destinations are shown as they are compared, reach the workers, and can be taken away', async () => {
  const destinations = [
    { match: '+31', ratePerSecond: 20 },
    { match: '*.Example.COM', ratePerSecond: 0.5, concurrency: 2 },
    { match: '*', concurrency: 5 },
  ];
  const shown = destinations.map((limit) => ({ ...limit, match: limit.match.toLowerCase() }));
  const made = await api.call('PUT', '/v1/routes/shaped', { body: { ...good, destinations } });
  expect([made.status, made.json.destinations]).toEqual([201, shown]);
  expect(api.context.control.routeByName('shaped')?.destinations).toEqual(shown);
  expect((await api.call('GET', '/v1/routes/shaped')).json.destinations).toEqual(shown);
  await api.call('PUT', '/v1/routes/shaped', { body: good });
  expect((await api.call('GET', '/v1/routes/shaped')).json.destinations).toBeNull();
});

test('a breaker is shown whole, with its defaults, and can be switched off', async () => {
  const some = await api.call('PUT', '/v1/routes/broken', { body: { ...good, breaker: { probes: 1 } } });
  expect(some.json.breaker).toEqual({ ...breakerDefaults, probes: 1 });
  const plain = await api.call('PUT', '/v1/routes/broken', { body: good });
  expect(plain.json.breaker).toEqual(breakerDefaults);
  await api.call('PUT', '/v1/routes/broken', { body: { ...good, breaker: false } });
  expect((await api.call('GET', '/v1/routes/broken')).json.breaker).toBe(false);
});

test.each(['Upper', '-x', 'x-', 'a b', `a${'b'.repeat(64)}`, 'é'])('the name %j is refused', async (name) => {
  const answer = await api.call('PUT', `/v1/routes/${encodeURIComponent(name)}`, { body: good });
  expect(answer.status).toBe(422);
});
