import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createSecretBox } from '../../src/lib/secret-box.ts';
import { insertAccount, updateAccount } from '../../src/store/control/accounts.ts';
import { changeControl } from '../../src/store/control/change-control.ts';
import { createControlCache } from '../../src/store/control/control-cache.ts';
import { insertKey } from '../../src/store/control/keys.ts';
import { insertWebhook, updateWebhook } from '../../src/store/control/webhooks.ts';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { testSecrets } from '../support/test-secrets.ts';

let database: Database;

beforeAll(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 4, name: 'test' });
});

afterAll(() => database.close());

const fields = { weight: 1, defaultRoutes: {}, limits: {}, prepaid: null, defaultCountry: null };

test('what was committed before a refresh is visible after it', async () => {
  const control = createControlCache({ secrets: testSecrets, database });
  await control.refresh();
  const changes = Array.from({ length: 10 }, async (_, at) => {
    const account = await changeControl(database, (transaction) =>
      insertAccount(transaction, { ...fields, name: `concurrent ${at}` }),
    );
    await control.refresh();
    expect(control.accountById(account.id)?.name).toBe(`concurrent ${at}`);
  });
  await Promise.all(changes);
});

test('a poll reads nothing but the version while nothing changes', async () => {
  const texts: string[] = [];
  const watched: Queryable = {
    query(statement, values) {
      texts.push(statement.text);
      return database.query(statement, values);
    },
  };
  const control = createControlCache({ secrets: testSecrets, database: watched });
  await control.refresh();
  texts.length = 0;
  await control.runOnce();
  expect(texts).toEqual(['SELECT version FROM control_version']);
  await changeControl(database, (transaction) => insertAccount(transaction, { ...fields, name: 'polled' }));
  await control.runOnce();
  expect(texts.length).toBeGreaterThan(2);
});

test('a change that commits between the version and the tables is found by the next poll', async () => {
  const account = await insertAccount(database, { ...fields, name: 'late' });
  let changed = false;
  const racing: Queryable = {
    async query(statement, values) {
      const result = await database.query(statement, values);
      if (!changed && statement.name === 'read_all_accounts') {
        changed = true;
        await changeControl(database, (transaction) =>
          updateAccount(transaction, account.id, { ...fields, name: 'late', weight: 9 }),
        );
      }
      return result as never;
    },
  };
  const control = createControlCache({ secrets: testSecrets, database: racing });
  await control.refresh();
  expect(control.accountById(account.id)?.weight).toBe(1);
  await control.runOnce();
  expect(control.accountById(account.id)?.weight).toBe(9);
});

test('a failed change leaves the version as it was', async () => {
  const control = createControlCache({ secrets: testSecrets, database });
  await control.refresh();
  let reloads = 0;
  control.onChange(() => reloads++);
  const failing = changeControl(database, () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  await control.runOnce();
  expect(reloads).toBe(0);
});

test('while the database is away the last known state stands', async () => {
  let isAway = false;
  const errors: unknown[] = [];
  const flaky: Queryable = {
    query: (statement, values) =>
      isAway ? Promise.reject(new Error('away')) : database.query(statement, values),
  };
  let tick = () => {};
  const clock = {
    ...systemClock,
    sleep: () =>
      new Promise<void>((resolve) => {
        tick = resolve;
      }),
  };
  const control = createControlCache({
    secrets: testSecrets,
    database: flaky,
    clock,
    onError: (error) => errors.push(error),
  });
  await control.start();
  isAway = true;
  tick();
  await expect.poll(() => errors.length).toBe(1);
  expect(control.accountById(1)?.name).toBe('default');
  const stopping = control.stop();
  tick();
  await stopping;
});

test('a webhook whose secrets cannot be opened any more keeps those that it had, and is otherwise as it is', async () => {
  const errors: unknown[] = [];
  const control = createControlCache({
    secrets: testSecrets,
    database,
    onError: (error) => errors.push(error),
  });
  const key = { id: '019e0000-0000-7000-8000-0000000000aa', accountId: 1 };
  const webhook = {
    ...{ ...key, name: 'kept', url: 'https://example.com/', events: [], filter: {}, batchMax: 1 },
    ...{ begins: '0', secrets: [{ secret: 'whsec_AAAA', createdAt: '2026-05-04T10:00:00Z' }] },
  };
  await changeControl(database, (transaction) =>
    insertWebhook(transaction, { webhook, secrets: testSecrets }),
  );
  await control.refresh();
  const known = [...control.webhooks()];
  expect(known).toMatchObject([{ name: 'kept' }]);
  // Written by a server that has another key.
  const others = createSecretBox([Buffer.alloc(32, 'another key')]);
  await changeControl(database, async (transaction) => {
    const changed = { ...webhook, url: 'https://example.com/other' };
    await updateWebhook(transaction, { webhook: changed, secrets: others });
  });
  await control.refresh();
  expect([...control.webhooks()]).toEqual([{ ...known[0], url: 'https://example.com/other' }]);
  expect(String(errors)).toContain(`the secrets of webhook ${key.id} cannot be opened`);
});

test('an expired key is not found, although nothing changed', async () => {
  let nowMs = Date.now();
  const clock = { ...systemClock, nowMs: () => nowMs };
  await insertKey(database, {
    id: '018f0000-0000-7000-8000-000000000001',
    accountId: 1,
    hash: Buffer.from('00ff', 'hex'),
    hint: '…test',
    scopes: ['read'],
    test: false,
    expiresAt: new Date(nowMs + 60_000),
  });
  const control = createControlCache({ secrets: testSecrets, database, clock });
  await control.refresh();
  expect(control.keyByHash('00ff')).toBeDefined();
  nowMs += 60_000;
  expect(control.keyByHash('00ff')).toBeUndefined();
});
