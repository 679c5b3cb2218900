import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKeyFreer } from '../../src/api/key-freer.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import type { Logger } from '../../src/observe/log.ts';
import { dropKey, releaseKey, renewKey, reserveKey } from '../../src/store/intake/idempotency.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

const requestHash = randomBytes(32);

async function reserve(key: { shard: number; accountId: number; key: string }) {
  return await reserveKey(api.context.database, { key, requestHash, reservation: { ids: [] } });
}

async function reserved() {
  const key = { shard: 7, accountId: 1, key: randomUUID() };
  const result = await reserve(key);
  if (result.kind !== 'new') throw new Error(`a new key is ${result.kind}`);
  return { key, lock: result.lock };
}

test('a key that could not be freed at once is freed as soon as the database can be asked', async () => {
  const { database } = api.context;
  const { key, lock } = await reserved();
  let failures = 0;
  await api.context.keyFreer.free(async () => {
    if (failures++ < 2) throw new Error('the database is away');
    await releaseKey(database, { key, lock });
  });
  expect((await reserve(key)).kind).toBe('running');
  await expect.poll(async () => (await reserve(key)).kind).toBe('resume');
});

test('a request is answered a second later at most, though the database that is to free its key is silent', async () => {
  const { database } = api.context;
  const { key, lock } = await reserved();
  const waits: number[] = [];
  const clock: Clock = {
    ...systemClock,
    after(ms, run) {
      waits.push(ms);
      queueMicrotask(run);
      return () => {};
    },
  };
  const freer = createKeyFreer({ clock, log: api.context.log, signal: new AbortController().signal });
  let speak = () => {};
  const silence = new Promise<void>((resolve) => {
    speak = resolve;
  });
  await freer.free(async () => {
    await silence;
    await releaseKey(database, { key, lock });
  });
  expect(waits).toEqual([1_000]);
  expect((await reserve(key)).kind).toBe('running');
  speak();
  await expect.poll(async () => (await reserve(key)).kind).toBe('resume');
});

test('what frees a key too late leaves the next try its lock', async () => {
  const { database } = api.context;
  const { key, lock } = await reserved();
  await releaseKey(database, { key, lock });
  expect((await reserve(key)).kind).toBe('resume');
  await releaseKey(database, { key, lock });
  await dropKey(database, { key, lock });
  expect((await reserve(key)).kind).toBe('running');
});

test('a renewed lock is the one to be released', async () => {
  const { database } = api.context;
  const { key, lock } = await reserved();
  const renewed = await renewKey(database, key);
  await releaseKey(database, { key, lock });
  expect((await reserve(key)).kind).toBe('running');
  await releaseKey(database, { key, lock: renewed });
  expect((await reserve(key)).kind).toBe('resume');
});

test('a key that cannot be freed is told in the log, and not asked for for ever', async () => {
  const told: string[] = [];
  const log = { warn: (_fields: unknown, text: string) => told.push(text) } as unknown as Logger;
  const clock: Clock = { ...systemClock, sleep: async () => {} };
  const freer = createKeyFreer({ clock, log, signal: new AbortController().signal });
  let tries = 0;
  await freer.free(() => Promise.reject(new Error(`away ${++tries}`)));
  await expect.poll(() => told).toEqual([expect.stringContaining('stays locked')]);
  expect(tries).toBe(32);
});

test('who asks while a try runs is told a second; while one that seems dead has the lock, when that ends, but 5 s at most', async () => {
  const name = randomUUID();
  const headers = { 'idempotency-key': name };
  await api.call('POST', '/v1/accounts', { body: { name }, headers });
  const retryAfter = async (leftSeconds: number) => {
    await api.context.database.query(
      {
        name: 'test_lock',
        text: `UPDATE idempotency SET status = NULL, answer = NULL, locked_until = now() + $1 * interval '1 second' WHERE key = $2`,
      },
      [leftSeconds, name],
    );
    const answer = await api.call('POST', '/v1/accounts', { body: { name }, headers });
    expect(answer.json.code).toBe('idempotency_in_progress');
    return Number(answer.headers.get('retry-after'));
  };
  expect(await retryAfter(30)).toBe(1);
  expect(await retryAfter(20)).toBe(5);
  const left = await retryAfter(4);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(4);
});
