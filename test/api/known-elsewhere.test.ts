import { afterAll, beforeAll, expect, test } from 'vitest';
import { createControlCache } from '../../src/store/control/control-cache.ts';
import type { Queryable } from '../../src/store/database.ts';
import { testSecrets } from '../support/test-secrets.ts';
import { startApi, type TestApi } from './start-api.ts';

/** Far longer than a test: what the other server knows it has found because it was asked. */
const pollMs = 3_600_000;

let here: TestApi;
let other: TestApi;

beforeAll(async () => {
  here = await startApi({ pollMs });
  other = await startApi({ databaseUrl: here.databaseUrl, pollMs });
});

afterAll(async () => {
  await other.stop();
  await here.stop();
});

const admin = () => ({ key: here.adminKey });
const ndjson = { headers: { 'content-type': 'application/x-ndjson' } };

async function makeRoute(name: string, fields: object = {}): Promise<void> {
  const body = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true, ...fields };
  expect((await here.call('PUT', `/v1/routes/${name}`, { body })).status).toBe(201);
}

test('a key that one server made is good at another with the next request', async () => {
  const made = await here.makeAccount('New', ['read']);
  expect((await other.call('GET', '/v1/batches', { key: made.key })).status).toBe(200);
});

test('an account that one server made can be named at another with the next request', async () => {
  const account = await here.call('POST', '/v1/accounts', { body: { name: 'Named' } });
  const { id } = account.json;
  const named = await other.call('GET', '/v1/batches', { ...admin(), headers: { 'millrace-account': id } });
  expect(named.status).toBe(200);
  const second = await here.call('POST', '/v1/accounts', { body: { name: 'Erased of' } });
  const erased = await other.call('POST', '/v1/recipients/erase', {
    ...admin(),
    body: { to: '+31612345678', accountId: second.json.id },
  });
  expect(erased.status).toBe(200);
});

test('a route that one server made takes a batch at another with the next request', async () => {
  await makeRoute('empty');
  const empty = await other.call('POST', '/v1/batches', { ...admin(), body: { route: 'empty' } });
  expect([empty.status, empty.json.route]).toEqual([201, 'empty']);
  await makeRoute('filled');
  const body = '{"to":"+31612345678","body":"x"}\n';
  const filled = await other.call('POST', '/v1/batches?route=filled', { ...admin(), ...ndjson, body });
  expect([filled.status, filled.json.counts?.accepted]).toEqual([201, 1]);
});

test('a route that one server made takes single messages at another with the next request', async () => {
  await makeRoute('single');
  const message = { to: '+31612345678', body: 'x', route: 'single' };
  const one = await other.call('POST', '/v1/messages', { ...admin(), body: message });
  expect(one.status).toBe(202);
  await makeRoute('few');
  const few = await other.call('POST', '/v1/messages', {
    ...admin(),
    body: [message, { ...message, route: 'few' }, { ...message, route: 'none' }],
  });
  expect(few.json.messages).toHaveLength(2);
  expect(few.json.errors).toMatchObject([{ index: 2, code: 'unknown_route' }]);
});

test('a route that one server opened to an account, or made its default, is so at another', async () => {
  await makeRoute('mine', { accounts: ['1'] });
  const { id, key } = await here.makeAccount('Guest', ['send']);
  const send = () => other.call('POST', '/v1/batches', { key, body: { route: 'mine' } });
  expect((await send()).json.code).toBe('unknown_route');
  const body = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true, accounts: ['1', id] };
  expect((await here.call('PUT', '/v1/routes/mine', { body })).status).toBe(200);
  expect((await send()).status).toBe(201);
  const message = { key, body: { to: '+31612345678', body: 'x' } };
  expect((await other.call('POST', '/v1/messages', message)).json.errors).toMatchObject([
    { code: 'no_default_route' },
  ]);
  const changed = await here.call('PATCH', `/v1/accounts/${id}`, {
    body: { defaultRoutes: { sms: 'mine' } },
  });
  expect(changed.status).toBe(200);
  expect((await other.call('POST', '/v1/messages', message)).status).toBe(202);
});

test('lines that another server takes in are judged by the channel of their route, although it is new', async () => {
  await makeRoute('hooks', { channel: 'webhook' });
  const { id } = (await here.call('POST', '/v1/batches', { body: { route: 'hooks' } })).json;
  const body = '{"to":"https://example.com/hook","body":"x"}\n{"to":"+31612345678","body":"x"}\n';
  const taken = await other.call('POST', `/v1/batches/${id}/messages`, { ...admin(), ...ndjson, body });
  expect(taken.json).toMatchObject({ accepted: 1, rejected: 1, errors: [{ line: 2 }] });
});

test('what is read of a batch, its messages and its export at another server names its route, although it is new', async () => {
  const fresh = async (name: string) => {
    await makeRoute(name);
    const body = '{"to":"+31612345678","body":"x"}\n';
    return (await here.call('POST', `/v1/batches?route=${name}`, { ...ndjson, body })).json.id as string;
  };
  const shown = await fresh('shown');
  expect((await other.call('GET', `/v1/batches/${shown}`, admin())).json.route).toBe('shown');
  await fresh('listed');
  expect((await other.call('GET', '/v1/batches?limit=1', admin())).json.data[0].route).toBe('listed');
  const within = await fresh('within');
  const messages = await other.call('GET', `/v1/batches/${within}/messages`, admin());
  expect(messages.json.data[0].route).toBe('within');
  const exported = await fresh('exported');
  const lines = await other.call('GET', `/v1/batches/${exported}/export?format=ndjson`, admin());
  expect(JSON.parse(lines.text.split('\n')[0]!).route).toBe('exported');
});

/** A control cache, and the texts of what it asks the database. */
async function watchedControl() {
  const asked: string[] = [];
  const { database } = here.context;
  const watched: Queryable = {
    query(statement, values) {
      asked.push(statement.text);
      return database.query(statement, values);
    },
  };
  const control = createControlCache({ database: watched, secrets: testSecrets, pollMs });
  await control.refresh();
  asked.length = 0;
  return { control, asked };
}

test('whoever asks at the same moment shares one look, and nothing is loaded while nothing changes', async () => {
  const { control, asked } = await watchedControl();
  const answers = await Promise.all(Array.from({ length: 10_000 }, () => control.lookAgain()));
  expect(answers.includes(true)).toBe(false);
  expect(asked).toEqual(['SELECT version FROM control_version']);
  await control.stop();
});

test('a flood of wrong keys is told to wait as if they came one by one, and reads a row a few times', async () => {
  const { control, asked } = await watchedControl();
  const lone = await startApi({ databaseUrl: here.databaseUrl, control });
  // A start raises the version.
  await control.refresh();
  asked.length = 0;
  const beganMs = performance.now();
  const guess = (_: unknown, at: number) => lone.call('GET', '/v1/routes', { key: `wrong-${at}` });
  const statuses = (await Promise.all(Array.from({ length: 300 }, guess))).map(({ status }) => status);
  const tookSeconds = (performance.now() - beganMs) / 1_000;
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  // What an address may fail, and what a look every 50 ms makes.
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(100 + tookSeconds);
  expect(asked.length).toBeLessThanOrEqual(1 + tookSeconds * 20);
  expect(new Set(asked)).toEqual(new Set(['SELECT version FROM control_version']));
  await lone.stop();
  await control.stop();
});

test('while the database is away what is not known is refused by what was known', async () => {
  let isAway = false;
  const { database } = here.context;
  const flaky: Queryable = {
    query: (statement, values) =>
      isAway ? Promise.reject(new Error('away')) : database.query(statement, values),
  };
  const control = createControlCache({ database: flaky, secrets: testSecrets, pollMs });
  await control.start();
  const lone = await startApi({ databaseUrl: here.databaseUrl, control });
  isAway = true;
  const ask = (key: string) => lone.call('GET', '/v1/routes', { key });
  expect([(await ask('unknown')).status, (await ask(here.adminKey)).status]).toEqual([401, 200]);
  isAway = false;
  const { key } = await here.makeAccount('Later', ['read']);
  expect((await ask(key)).status).toBe(200);
  await lone.stop();
  await control.stop();
});
