import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureAdminKey } from '../../src/api/ensure-admin-key.ts';
import { until } from '../delivery/mill.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi({ requestsPerSecond: 1_000 });
});

afterAll(() => api.stop());

test('a key that asks too often is told when to ask again; other keys are not concerned', async () => {
  const busy = await api.makeAccount('Busy', ['read']);
  const calm = await api.makeAccount('Calm', ['read']);
  const set = await api.call('PATCH', `/v1/accounts/${busy.id}`, {
    body: { limits: { requestsPerSecond: 1 } },
  });
  expect(set.json.limits).toEqual({ requestsPerSecond: 1 });
  const ask = (key: string) => api.call('GET', '/v1/batches', { key });
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(busy.key)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(2);
  expect(refused.length).toBeGreaterThanOrEqual(1);
  expect(refused[0]!.json.code).toBe('rate_limited');
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  for (let n = 0; n < 20; n++) expect((await ask(calm.key)).status).toBe(200);
  await until(async () => (await ask(busy.key)).status === 200);
  await api.call('PATCH', `/v1/accounts/${busy.id}`, { body: { limits: {} } });
  for (let n = 0; n < 20; n++) expect((await ask(busy.key)).status).toBe(200);
});

test('an address that guesses keys is told to wait; keys that nobody can guess work from there all the same', async () => {
  const neighbour = await api.makeAccount('Neighbour', ['read']);
  const guessable = 'configured-key-1';
  await ensureAdminKey(api.context.database, { key: guessable, path: '' });
  const ask = (key: string | null) => api.call('GET', '/v1/batches', { key });
  let refused = await ask('wrong');
  for (let n = 0; n < 1_000 && refused.status === 401; n++) refused = await ask(`wrong-${n}`);
  expect([refused.status, refused.json.code]).toEqual([429, 'rate_limited']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  const guesses = await Promise.all([...Array(20).fill('wrong'), guessable, null].map(ask));
  expect(guesses.filter(({ status }) => status === 200)).toEqual([]);
  // It comes from there for the first time.
  expect((await ask(neighbour.key)).status).toBe(200);
  await until(async () => (await ask(guessable)).status === 200);
  await Promise.all([...Array(200).fill('wrong')].map(ask));
  expect((await ask('wrong')).status).toBe(429);
  expect((await ask(guessable)).status).toBe(200);
});
