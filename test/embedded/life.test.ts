import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { temporaryDirectory, usedDirectory } from './data-directory.ts';
import { eventually, isAlive } from './eventually.ts';
import { startHolder, tryHolder } from './holder.ts';
import { queryValue } from './query.ts';

vi.setConfig({ testTimeout: 120_000 });

async function start(dataDir: string) {
  const server = await startEmbedded({ dataDir });
  onTestFinished(() => server.stop());
  return server;
}

test('the server ends when its parent is killed, and a parent that starts at once takes the data over', async () => {
  const dataDir = await usedDirectory();
  const { parent, pid, url } = await startHolder({ dataDir });
  await queryValue(url, 'CREATE TABLE kept AS SELECT generate_series(1, 100000) AS n');
  parent.kill('SIGKILL');
  const next = await start(dataDir);
  expect(isAlive(pid)).toBe(false);
  expect(await queryValue(next.url, 'SELECT count(*)::int FROM kept')).toBe(100_000);
});

test('the server ends when its parent just ends', async () => {
  const dataDir = await usedDirectory();
  const { parent, pid } = await startHolder({ dataDir });
  parent.kill('SIGTERM');
  await eventually('the server has ended', () => !isAlive(pid));
  expect(await readdir(join(dataDir, 'postgres'))).not.toContain('postmaster.pid');
});

test('Ctrl-C in the terminal reaches the parent alone, which can still write what it has in hand', async () => {
  const dataDir = await usedDirectory();
  const { parent, url } = await startHolder({ dataDir });
  // What a terminal does: the signal goes to the whole process group, which the holder leads and sits out.
  process.kill(-parent.pid!, 'SIGINT');
  await queryValue(url, 'SELECT pg_sleep(0.2)');
  expect(await queryValue(url, 'SELECT 1')).toBe(1);
});

test('a killed server is noticed, and its data comes back at the next start', async () => {
  const dataDir = await usedDirectory();
  const first = await start(dataDir);
  await queryValue(first.url, 'CREATE TABLE kept AS SELECT 1 AS n');
  process.kill(first.pid, 'SIGKILL');
  await first.ended;
  const second = await start(dataDir);
  expect(await queryValue(second.url, 'SELECT n FROM kept')).toBe(1);
});

test('a pid file that names a process that is gone does not hinder a start', async () => {
  const dataDir = await usedDirectory();
  const { dead } = await leavePidFile(dataDir, async () => {
    const gone = spawn('true');
    await once(gone, 'exit');
    return gone.pid!;
  });
  expect(isAlive(dead)).toBe(false);
  const { url } = await start(dataDir);
  expect(await queryValue(url, 'SELECT 1')).toBe(1);
});

test('a pid file whose process id a foreign process of the same user has now does not hinder a start', async () => {
  const dataDir = await usedDirectory();
  const { dead } = await leavePidFile(dataDir, async ({ uid, gid }) => {
    const foreign = spawn('sleep', ['60'], process.getuid?.() === 0 ? { uid, gid } : {});
    onTestFinished(() => void foreign.kill());
    await once(foreign, 'spawn');
    return foreign.pid!;
  });
  const { url } = await start(dataDir);
  expect(await queryValue(url, 'SELECT 1')).toBe(1);
  expect(isAlive(dead)).toBe(true);
});

test('a second start on a live data directory is refused and harms nothing', async () => {
  const dataDir = await usedDirectory();
  const { url, pid } = await startHolder({ dataDir });
  await expect(startEmbedded({ dataDir })).rejects.toMatchObject({
    code: 'data_in_use',
    message: expect.stringContaining(`process ${pid}`),
  });
  expect(await queryValue(url, 'SELECT 1')).toBe(1);
});

test('of two first starts at once on one directory one serves and the other is refused', async () => {
  const dataDir = await temporaryDirectory();
  const outcomes = await Promise.all([tryHolder({ dataDir }), tryHolder({ dataDir })]);
  const refused = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error.code] : []));
  expect(refused).toEqual(['data_in_use']);
  const served = outcomes.flatMap((outcome) => ('url' in outcome ? [outcome.url] : []));
  expect(await queryValue(served[0]!, 'SELECT 1')).toBe(1);
});

test('a first start that was killed midway leaves nothing in the way', async () => {
  const dataDir = await temporaryDirectory();
  const starting = tryHolder({ dataDir }).catch(() => {});
  await eventually('initdb runs', async () =>
    (await readdir(dataDir)).some((name) => name.startsWith('postgres.new-')),
  );
  const [unfinished = ''] = (await readdir(dataDir)).filter((name) => name.startsWith('postgres.new-'));
  process.kill(Number(unfinished.split('-')[1]), 'SIGKILL');
  await starting;
  const { url } = await start(dataDir);
  expect(await queryValue(url, 'SELECT 1')).toBe(1);
  expect((await readdir(dataDir)).filter((name) => name.startsWith('postgres.new-'))).toEqual([]);
});

/** Crashes a server, and makes its pid file name the process that `choose` comes up with. */
async function leavePidFile(
  dataDir: string,
  choose: (owner: { uid: number; gid: number }) => Promise<number>,
): Promise<{ dead: number }> {
  const server = await startEmbedded({ dataDir });
  const path = join(dataDir, 'postgres', 'postmaster.pid');
  const text = await readFile(path, 'utf8');
  const owner = await stat(path);
  await server.stop();
  const dead = await choose(owner);
  await writeFile(path, text.replace(/^\d+/, String(dead)));
  await chown(path, owner.uid, owner.gid);
  return { dead };
}
