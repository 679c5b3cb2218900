import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { breakerDefaults, retryDefaults } from '../../src/message/route.ts';
import { openSecrets } from '../../src/services/open-secrets.ts';
import { createControlCache } from '../../src/store/control/control-cache.ts';
import { findRoute, putRoute } from '../../src/store/control/routes.ts';
import { findSigningKey, putSigningKey } from '../../src/store/control/signing-keys.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { runCli } from '../support/run-cli.ts';

let scratch: TestDatabase;
let database: Database;
let directory: string;
let path: string;

beforeEach(async () => {
  scratch = await createTestDatabase();
  database = openDatabase({ url: scratch.url, poolSize: 4, name: 'test' });
  directory = await mkdtemp(join(tmpdir(), 'millrace-secrets-'));
  path = join(directory, 'secret.key');
});

afterEach(async () => {
  await database.close();
  await scratch.drop();
  await rm(directory, { recursive: true });
});

const newKey = () => randomBytes(32).toString('base64');
const password = 'hunter2-correct-horse';

function fieldsOf(name: string) {
  const options = { url: 'https://provider.example/', headers: { authorization: `Bearer ${password}` } };
  const rest = {
    concurrency: 1,
    retry: retryDefaults,
    breaker: breakerDefaults,
    onUncertain: 'resend',
  } as const;
  return { name, connector: 'http', options, ...rest };
}

async function insertPlainRoute(name: string): Promise<void> {
  const { options } = fieldsOf(name);
  await database.query(
    {
      name: 'plain_route',
      text: `INSERT INTO route (name, connector, options, concurrency, retry, on_uncertain)
        VALUES ($1, 'http', $2, 1, '{}', 'resend')`,
    },
    [name, JSON.stringify(options)],
  );
}

async function tableText(): Promise<string> {
  const { rows } = await database.query<{ text: string }>({
    name: 'route_text',
    text: `SELECT coalesce(string_agg(route::text, ' '), '') AS text FROM route`,
  });
  return rows[0]!.text;
}

test('makes the key once, for its owner only, and finds it again', async () => {
  const first = await openSecrets(database, { path });
  expect(first.made).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const second = await openSecrets(database, { path });
  expect([second.made, second.secrets.keyId]).toEqual([false, first.secrets.keyId]);
});

test('of processes that start at once on one data directory, all have the same key', async () => {
  const opened = await Promise.all(Array.from({ length: 4 }, () => openSecrets(database, { path })));
  expect(new Set(opened.map(({ secrets }) => secrets.keyId)).size).toBe(1);
  expect(opened.filter(({ made }) => made)).toHaveLength(1);
});

test('a machine without the key does not start, makes none, and says where the key is', async () => {
  await openSecrets(database, { path });
  const elsewhere = join(directory, 'elsewhere.key');
  await expect(openSecrets(database, { path: elsewhere })).rejects.toThrow(path);
  await expect(stat(elsewhere)).rejects.toThrow('ENOENT');
  await expect(openSecrets(database, { path: elsewhere, configured: newKey() })).rejects.toThrow(
    /not the one/,
  );
  const key = (await readFile(path, 'utf8')).trim();
  expect((await openSecrets(database, { path: elsewhere, configured: key })).made).toBe(false);
});

test('a key file that holds no key is refused by name', async () => {
  await writeFile(path, 'oops\n');
  await expect(openSecrets(database, { path })).rejects.toThrow(path);
});

test('options that were plain are sealed at the start, and none of their bytes stays in the table', async () => {
  await insertPlainRoute('old');
  expect(await tableText()).toContain(password);
  const { secrets, sealed } = await openSecrets(database, { path });
  expect(sealed.plain).toEqual(['old']);
  expect(await tableText()).not.toContain(password);
  const route = await findRoute(database, { name: 'old', secrets });
  expect(route?.options).toEqual(fieldsOf('old').options);
});

test('another first key seals anew, and then opens without the older one', async () => {
  const [one, two] = [newKey(), newKey()];
  const { secrets } = await openSecrets(database, { path, configured: one });
  await putRoute(database, { fields: fieldsOf('sms'), secrets });
  await putSigningKey(database, { accountId: 1, key: password, begins: '1', secrets });
  const rotated = await openSecrets(database, { path, configured: `${two},${one}` });
  expect(rotated.sealed.older).toEqual(['sms']);
  const alone = await openSecrets(database, { path, configured: two });
  expect(alone.sealed).toEqual({ plain: [], older: [] });
  const route = await findRoute(database, { name: 'sms', secrets: alone.secrets });
  expect(route?.options).toEqual(fieldsOf('sms').options);
  const signingKey = await findSigningKey(database, { accountId: 1, secrets: alone.secrets });
  expect(signingKey?.key).toBe(password);
  await expect(openSecrets(database, { path, configured: one })).rejects.toThrow(/not the one/);
});

test('options that were moved to another route do not open, and the next start says so', async () => {
  const { secrets } = await openSecrets(database, { path });
  await putRoute(database, { fields: fieldsOf('mine'), secrets });
  await putRoute(database, { fields: fieldsOf('other'), secrets });
  await database.query({
    name: 'swap',
    text: `UPDATE route SET sealed_options = (SELECT sealed_options FROM route WHERE name = 'mine')
      WHERE name = 'other'`,
  });
  await expect(findRoute(database, { name: 'other', secrets })).rejects.toThrow(/something else/);
  await expect(openSecrets(database, { path })).rejects.toThrow(/route other/);
});

test('a running server goes on by what it knew when a route is sealed by a key that it has not got', async () => {
  const { secrets } = await openSecrets(database, { path });
  await putRoute(database, { fields: fieldsOf('sms'), secrets });
  await putSigningKey(database, { accountId: 1, key: password, begins: '1', secrets });
  const errors: unknown[] = [];
  const control = createControlCache({ database, secrets, onError: (error) => errors.push(error) });
  await control.refresh();
  const stranger = await openSecrets(database, {
    path,
    configured: `${newKey()},${(await readFile(path, 'utf8')).trim()}`,
  });
  const changed = { ...fieldsOf('sms'), options: { url: 'https://elsewhere.example/' } };
  await putRoute(database, { fields: changed, secrets: stranger.secrets });
  const another = { accountId: 1, key: newKey(), begins: '1', secrets: stranger.secrets };
  await putSigningKey(database, another);
  await control.refresh();
  expect(control.routeByName('sms')?.options).toEqual(fieldsOf('sms').options);
  expect(control.signingKeyOf(1)).toBe(password);
  expect(String(errors[0])).toContain('sms');
});

test('serve with another key ends in a line that says where the key is', async () => {
  await openSecrets(database, { path });
  const { status, err } = await runCli(
    ['serve', '--port', '0', '--data', directory, '--database', scratch.url],
    {
      MILLRACE_SECRET_KEY: newKey(),
      MILLRACE_LOG_LEVEL: 'silent',
    },
  );
  expect(status).toBe(1);
  expect(err).toMatch(/^error: the secret key in MILLRACE_SECRET_KEY is not the one/);
  expect(err).toContain(path);
  expect(err).not.toContain('    at ');
});

test.runIf(process.platform === 'linux')(
  'a key that the disk has no room for is not relied upon, and made when there is room',
  async () => {
    await symlink('/dev/full', `${path}.${process.pid}.new`);
    const refused = openSecrets(database, { path });
    await expect(refused).rejects.toMatchObject({
      name: 'OwnFileError',
      message: `${path} cannot be written: the disk is full (ENOSPC). Make room on it.`,
    });
    expect(await readdir(directory)).toEqual([]);
    expect(await openSecrets(database, { path })).toMatchObject({ made: true });
    expect(await openSecrets(database, { path })).toMatchObject({ made: false });
  },
);

test.runIf(process.platform === 'linux')(
  'a key file on a broken disk is told as that, not as a database that is away, and no other key is made',
  async () => {
    // The kernel answers EIO for the first page of a process, which is never there.
    await symlink('/proc/self/mem', path);
    await expect(openSecrets(database, { path })).rejects.toMatchObject({
      name: 'OwnFileError',
      message: expect.stringMatching(
        /secret\.key cannot be read: the disk gives errors \(EIO\)\. See the log/,
      ),
    });
    await rm(path);
    expect(await openSecrets(database, { path })).toMatchObject({ made: true });
  },
);
