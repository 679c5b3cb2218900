import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeDirectory } from './make-directory.ts';

it('makes a directory with those above it, once, and tells the first', async () => {
  const base = await mkdtemp(join(tmpdir(), 'millrace-mkdir-'));
  const path = join(base, 'a', 'b', 'c');
  expect(await makeDirectory(path)).toBe(join(base, 'a'));
  expect((await stat(path)).isDirectory()).toBe(true);
  expect(await makeDirectory(path)).toBeUndefined();
  await rm(base, { recursive: true });
});

it.skipIf(process.platform !== 'linux')('fails where none can be made', async () => {
  await expect(makeDirectory('/proc/millrace/data')).rejects.toMatchObject({ code: 'ENOENT' });
});
