import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { disownPostmasterFile, readPostmasterFile } from './postmaster-file.ts';

const whole = '4711\n/data/postgres\n1763700000\n54321\n\n127.0.0.1\n  1234567  42\nstopping\n';

async function clusterWith(text: string | undefined): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-'));
  onTestFinished(() => rm(path, { recursive: true }));
  if (text !== undefined) await writeFile(join(path, 'postmaster.pid'), text);
  return path;
}

test('the file tells process, port and status', async () => {
  expect(await readPostmasterFile(await clusterWith(whole))).toEqual({
    pid: 4711,
    port: 54321,
    status: 'stopping',
  });
});

test('a file that is still being written has no port and no status yet', async () => {
  const file = await readPostmasterFile(await clusterWith('4711\n/data/postgres\n'));
  expect(file).toEqual({ pid: 4711, port: 0, status: 'other' });
});

test.each([undefined, '', '\n', 'garbage\n', '0\n'])('no server is read from %j', async (text) => {
  expect(await readPostmasterFile(await clusterWith(text))).toBeUndefined();
});

test('a server in single-user mode, which writes its process id negated, is a server', async () => {
  expect((await readPostmasterFile(await clusterWith('-4711\n/data/postgres\n')))?.pid).toBe(4711);
});

test('a disowned file names no process that can exist and keeps the shared memory', async () => {
  const cluster = await clusterWith(whole);
  await disownPostmasterFile(cluster);
  expect(await readFile(join(cluster, 'postmaster.pid'), 'utf8')).toBe(whole.replace('4711', '2147483647'));
  await disownPostmasterFile(await clusterWith(undefined));
});
