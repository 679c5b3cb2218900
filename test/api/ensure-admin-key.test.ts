import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureAdminKey } from '../../src/api/ensure-admin-key.ts';
import { hashKey, makeKey } from '../../src/api/keys.ts';
import { createControlCache } from '../../src/store/control/control-cache.ts';
import { findKeyByHash, listKeys, revokeKey } from '../../src/store/control/keys.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { testSecrets } from '../support/test-secrets.ts';

let database: Database;
let directory: string;
let path: string;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 4, name: 'test' });
  directory = await mkdtemp(join(tmpdir(), 'millrace-key-'));
  path = join(directory, 'admin.key');
});

afterEach(async () => {
  await database.close();
  await rm(directory, { recursive: true });
});

const keys = () => listKeys(database, { after: '00000000-0000-0000-0000-000000000000', limit: 10 });

test('the first start makes a key in a file that only its owner reads', async () => {
  const result = await ensureAdminKey(database, { path });
  expect(result.kind).toBe('made');
  const text = await readFile(path, 'utf8');
  expect(result).toEqual({ kind: 'made', key: text.trim() });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await keys()).toMatchObject([{ accountId: 1, scopes: ['admin'] }]);

  expect(await ensureAdminKey(database, { path })).toEqual({ kind: 'present' });
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('of several processes that start at once, one makes the key', async () => {
  const results = await Promise.all(Array.from({ length: 4 }, () => ensureAdminKey(database, { path })));
  expect(results.map(({ kind }) => kind).sort()).toEqual(['made', 'present', 'present', 'present']);
  expect(await keys()).toHaveLength(1);
  const control = createControlCache({ secrets: testSecrets, database });
  await control.refresh();
  const written = (await readFile(path, 'utf8')).trim();
  expect(control.keyByHash(hashKey(written).toString('hex'))).toBeDefined();
});

test('a configured key works, beside another and when it is configured again', async () => {
  const key = 'an operator chose this one';
  for (let start = 0; start < 2; start++) {
    expect(await ensureAdminKey(database, { key, path })).toEqual({ kind: 'configured' });
  }
  await expect(stat(path)).rejects.toThrow('ENOENT');
  expect(await ensureAdminKey(database, { path })).toEqual({ kind: 'present' });
  expect(await ensureAdminKey(database, { key: 'another choice', path })).toEqual({ kind: 'configured' });
  expect(await keys()).toHaveLength(2);
});

test('a configured key that was revoked stays revoked', async () => {
  const key = 'leaked to the world';
  await ensureAdminKey(database, { key, path });
  await revokeKey(database, (await findKeyByHash(database, hashKey(key)))!.id);
  await expect(ensureAdminKey(database, { key, path })).rejects.toThrow('revoked');
});

test('a configured key that looks like a test key is refused', async () => {
  const key = makeKey({ test: true });
  await expect(ensureAdminKey(database, { key, path })).rejects.toThrow('the form of a test key');
  expect(await keys()).toEqual([]);
});

test('a key that cannot be written down is not made', async () => {
  await expect(ensureAdminKey(database, { path: join(directory, 'no', 'such', 'place') })).rejects.toThrow(
    'ENOENT',
  );
  expect(await keys()).toEqual([]);
});
