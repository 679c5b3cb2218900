import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { finishKey, releaseKey, renewKey, reserveKey } from '../../src/store/intake/idempotency.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { commits, type LostAnswers, loseAnswers } from '../support/lost-answers.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startApi, type TestApi } from './start-api.ts';

/** The database, by a way that may break before a reservation arrives, and one on which the answer of its COMMIT is lost. */
let breaking: CuttingProxy;
let losing: LostAnswers;
let api: TestApi;
/** How many reservations do not arrive; how many of the COMMITs that follow are not answered. */
let breaks: number;
let losses: number;

beforeAll(async () => {
  [breaks, losses] = [0, 0];
  const { url } = await createTestDatabase();
  losing = await loseAnswers(url, { unheard: commits, chosen: () => losses-- > 0 });
  breaking = await startCuttingProxy(losing.url, {
    judge: (sent) => (sent.includes('lock_idempotency_key') && breaks-- > 0 ? 'cut' : 'pass'),
  });
  api = await startApi({ databaseUrl: breaking.url });
});

beforeEach(() => {
  [breaks, losses] = [0, 0];
});

afterAll(async () => {
  await api.stop();
  await breaking.stop();
  await losing.stop();
});

function makeAccount(key: string, name: string) {
  return api.call('POST', '/v1/accounts', { body: { name }, headers: { 'idempotency-key': key } });
}

async function accountsCalled(name: string): Promise<number> {
  const { data } = (await api.call('GET', '/v1/accounts')).json as { data: { name: string }[] };
  return data.filter((account) => account.name === name).length;
}

test('a write whose connection breaks before its key is reserved is made all the same', async () => {
  breaks = 2;
  expect((await makeAccount('broken', 'Broken')).status).toBe(201);
  expect(breaks).toBeLessThanOrEqual(0);
  expect(await accountsCalled('Broken')).toBe(1);
});

test('a write that is not told whether its key is reserved is made once', async () => {
  losses = 2;
  const lostBefore = losing.lost();
  expect((await makeAccount('unheard', 'Unheard')).status).toBe(201);
  expect(losing.lost() - lostBefore).toBe(2);
  expect(await accountsCalled('Unheard')).toBe(1);
  expect((await makeAccount('unheard', 'Unheard')).headers.get('idempotent-replayed')).toBe('true');
});

const requestHash = randomBytes(32);

function newKey() {
  return { shard: 7, accountId: 1, key: randomUUID() };
}

async function reserve(key: ReturnType<typeof newKey>, ids: string[]) {
  return await reserveKey(api.context.database, { key, requestHash, reservation: { ids } });
}

test('a try that asks again has its own reservation, and another try waits for it', async () => {
  const [key, ids] = [newKey(), [randomUUID(), randomUUID()]];
  expect((await reserve(key, ids)).kind).toBe('new');
  expect((await reserve(key, [randomUUID()])).kind).toBe('running');
  expect((await reserve(key, ids)).kind).toBe('new');
  expect((await reserve(key, [ids[0]!])).kind).toBe('running');
});

test('a reservation that another try has gone on with is not taken back', async () => {
  const { database } = api.context;
  const [key, ids] = [newKey(), [randomUUID()]];
  const reserved = await reserve(key, ids);
  if (reserved.kind !== 'new') throw new Error(`a new key is ${reserved.kind}`);
  await releaseKey(database, { key, lock: reserved.lock });
  expect((await reserve(key, [randomUUID()])).kind).toBe('resume');
  expect((await reserve(key, ids)).kind).toBe('running');
  await renewKey(database, key);
  expect((await reserve(key, ids)).kind).toBe('running');
  await finishKey(database, { key, stored: { status: 200, answer: Buffer.from('{}') } });
  expect((await reserve(key, ids)).kind).toBe('done');
});
