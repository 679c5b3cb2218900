import { chmod, chown, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type EmbeddedOptions, startEmbedded } from '../../src/embedded/start-embedded.ts';
import { isRoot, temporaryDirectory, usedDirectory } from './data-directory.ts';
import { startHolder } from './holder.ts';
import { queryValue } from './query.ts';

vi.setConfig({ testTimeout: 120_000 });

const nobody = 65_534;

async function start(options: EmbeddedOptions) {
  const server = await startEmbedded(options);
  onTestFinished(() => server.stop());
  return server;
}

test('a new server is durable, checks its pages, and lets nobody in without the password', async () => {
  const dataDir = await temporaryDirectory();
  const { url } = await start({ dataDir });
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums']) {
    expect.soft(await queryValue(url, `SHOW ${setting}`), setting).toBe('on');
  }
  expect(await queryValue(url, 'SHOW listen_addresses')).toBe('127.0.0.1');
  expect(await queryValue(url, 'SELECT pg_encoding_to_char(encoding) FROM pg_database')).toBe('UTF8');
  await expect(queryValue(url.replace(/:[0-9a-f]{48}@/, ':guess@'), 'SELECT 1')).rejects.toThrow(/password/);
  expect((await stat(join(dataDir, 'postgres.password'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(dataDir, 'postgres'))).mode & 0o077).toBe(0);
});

test('data, password and a changed setting are there at the next start', async () => {
  const dataDir = await usedDirectory();
  const first = await start({ dataDir });
  await queryValue(first.url, 'CREATE TABLE kept AS SELECT 42 AS n');
  await first.stop();
  await first.stop();
  const { url } = await start({ dataDir, settings: { work_mem: '9MB' } });
  expect(await queryValue(url, 'SELECT n FROM kept')).toBe(42);
  expect(await queryValue(url, 'SHOW work_mem')).toBe('9MB');
});

test('a lost password file is replaced and the data stays', async () => {
  const dataDir = await usedDirectory();
  const first = await start({ dataDir });
  await first.stop();
  await rm(join(dataDir, 'postgres.password'));
  const second = await start({ dataDir });
  expect(second.url).not.toBe(first.url);
  expect(await queryValue(second.url, 'SELECT 1')).toBe(1);
});

test('two servers run at once on two data directories', async () => {
  const directories = [await temporaryDirectory(), await temporaryDirectory()];
  const servers = await Promise.all(directories.map((dataDir) => start({ dataDir })));
  const seen = await Promise.all(servers.map(({ url }) => queryValue(url, 'SHOW data_directory')));
  expect(new Set(seen).size).toBe(2);
});

test("the caller's PostgreSQL variables, locale and working directory change nothing", async () => {
  const dataDir = await usedDirectory();
  const env = { PGPORT: '1', PGDATA: '/nowhere', PGOPTIONS: '-c fsync=off', LC_ALL: 'xx_XX.nonsense' };
  const { url } = await startHolder({ dataDir, env, cwd: '/' });
  expect(await queryValue(url, 'SHOW fsync')).toBe('on');
});

test('a start that is aborted leaves no server', async () => {
  const dataDir = await usedDirectory();
  await expect(start({ dataDir, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  await expect(readFile(join(dataDir, 'postgres', 'postmaster.pid'))).rejects.toThrow('ENOENT');
});

test.runIf(isRoot && process.platform === 'linux')(
  'root starts it as an unprivileged user, an ordinary user as itself',
  async () => {
    const asRoot = await temporaryDirectory();
    const { pid } = await startHolder({ dataDir: asRoot });
    expect((await stat(`/proc/${pid}`)).uid).not.toBe(0);

    const ordinary = join(await temporaryDirectory(), 'data');
    await chmod(join(ordinary, '..'), 0o755);
    await mkdir(ordinary);
    await chown(ordinary, nobody, nobody);
    const held = await startHolder({ dataDir: ordinary, uid: nobody, gid: nobody, cwd: '/' });
    expect((await stat(`/proc/${held.pid}`)).uid).toBe(nobody);
  },
);
