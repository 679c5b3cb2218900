import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { copyPackage, copyProgram } from './copied-program.ts';
import { isRoot, temporaryDirectory } from './data-directory.ts';
import { startHolder } from './holder.ts';
import { queryValue } from './query.ts';

vi.setConfig({ testTimeout: 120_000 });

test.runIf(isRoot)('root serves from an install that no other user can reach', async () => {
  const home = await copyProgram();
  await copyPackage(home);
  await chmod(home, 0o700);
  const dataDir = await temporaryDirectory();
  const { url } = await startHolder({ dataDir, script: join(home, 'test', 'embedded', 'hold-server.ts') });
  expect(await queryValue(url, 'SELECT count(*) > 0 FROM pg_timezone_names')).toBe(true);
  expect(await readdir(join(dataDir, 'postgres-programs'))).toHaveLength(1);
});
