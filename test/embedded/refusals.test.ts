import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { copyPackage, copyProgram } from './copied-program.ts';
import { isRoot, temporaryDirectory, usedDirectory } from './data-directory.ts';
import { startHolder, tryHolder } from './holder.ts';
import { queryValue } from './query.ts';

vi.setConfig({ testTimeout: 120_000 });

test('a platform without a package is told to use a database of its own', async () => {
  const home = await copyProgram();
  const outcome = await tryHolder({
    dataDir: join(home, 'data'),
    script: join(home, 'test', 'embedded', 'hold-server.ts'),
  });
  expect(outcome).toMatchObject({
    error: { code: 'no_package', message: expect.stringContaining('--database postgres://') },
  });
});

test('a package installed without scripts serves, in place and complete', async () => {
  const home = await copyProgram();
  await copyPackage(home);
  await chmod(home, 0o755);
  const dataDir = join(home, 'data');
  const { url } = await startHolder({ dataDir, script: join(home, 'test', 'embedded', 'hold-server.ts') });
  expect(await queryValue(url, 'SELECT 1')).toBe(1);
  expect(await readdir(dataDir)).not.toContain('postgres-programs');
});

test.runIf(isRoot)('root is told which directory is closed to the server', async () => {
  const closed = join(await temporaryDirectory(), 'closed');
  await mkdir(closed, { mode: 0o700 });
  await chmod(join(closed, '..'), 0o755);
  await expect(startEmbedded({ dataDir: join(closed, 'data') })).rejects.toMatchObject({
    code: 'data_unreachable',
    message: expect.stringContaining(`chmod o+x ${closed})`),
  });
});

test('data of another major version is left alone, and the way to take it along is named', async () => {
  const dataDir = await usedDirectory();
  const path = join(dataDir, 'postgres', 'PG_VERSION');
  await writeFile(path, '17\n');
  await expect(startEmbedded({ dataDir })).rejects.toMatchObject({
    code: 'other_major',
    message: expect.stringContaining('docs/upgrade-postgresql.md'),
  });
  expect(await readFile(path, 'utf8')).toBe('17\n');
});

test('a server that does not start says what PostgreSQL said', async () => {
  const dataDir = await usedDirectory();
  const refused = startEmbedded({ dataDir, settings: { shared_buffers: 'plenty' } });
  await expect(refused).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('shared_buffers'),
  });
});

test('a setting cannot smuggle in another one', async () => {
  const dataDir = await usedDirectory();
  await expect(startEmbedded({ dataDir, settings: { work_mem: "8MB'\nfsync = 'off" } })).rejects.toThrow(
    'one line',
  );
});

test('the data directory may be reached through a link and have spaces and quotes in its name', async () => {
  const home = await temporaryDirectory();
  await chmod(home, 0o755);
  await mkdir(join(home, `a "b" 'c' $d`));
  await symlink(`a "b" 'c' $d`, join(home, 'link'));
  const held = await startHolder({ dataDir: join(home, 'link') });
  expect(await queryValue(held.url, 'SELECT 1')).toBe(1);
  await expect(startEmbedded({ dataDir: join(home, `a "b" 'c' $d`) })).rejects.toMatchObject({
    code: 'data_in_use',
  });
});
