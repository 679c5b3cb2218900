import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, threadModules } from './bundle.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const root = process.cwd();
const source = join(root, 'src');
const dist = join(root, 'dist');
/** Files that the program serves as they are. */
const servedFiles = ['page.css', 'page.js'];

/**
 * `tsx scripts/build-server.ts` makes `dist` of the program in the working directory: it and the packages that it imports become a few files.
 * Loading and compiling 2,000 small ones took half of the processor time of a server's start (5.0 s, and 2.4 s since, on 2 cores).
 * They are not minified: a stack trace names what is in them, and each part says which source it is of.
 */
async function buildServer(): Promise<void> {
  const modules = { main: join(source, 'main.ts'), ...(await threadModules(source)) };
  await bundle({ modules, directory: dist, plugins: [thirdPartyLicenses()] });
  await mkdir(join(dist, 'docs'));
  for (const file of servedFiles) await cp(join(source, 'api/docs', file), join(dist, 'docs', file));
}

await buildServer();
