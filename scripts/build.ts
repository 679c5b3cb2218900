import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, threadScripts } from './bundle.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const root = join(import.meta.dirname, '..');
const source = join(root, 'src');
const dist = join(root, 'dist');
/** What `/docs` is made of beside the description: served as it is (api/routes/show-docs.ts). */
const pageFiles = ['page.css', 'page.js'];

/**
 * `tsx scripts/build.ts` makes `dist`: the program, the client with its types, and the dashboard; with `server` only the program. What was
 * built before stays until all is there, for a server that runs loads threads from it when it needs them.
 */
async function build(): Promise<void> {
  const parent = join(root, 'build');
  const made = join(parent, `dist-${process.pid}`);
  await mkdir(parent, { recursive: true });
  try {
    await buildServer(made);
    if (process.argv[2] !== 'server') {
      await run('typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', made);
      await buildDashboard(join(made, 'dashboard'));
    }
    const before = `${made}-before`;
    if (existsSync(dist)) await rename(dist, before);
    await rename(made, dist);
    await rm(before, { recursive: true, force: true });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/**
 * The program becomes few files, with the packages that it imports: loading and compiling some 2,000 small ones was half of the
 * processor time of a start (docs/decisions/built-program.md). They are not minified, because stack traces are read.
 */
async function buildServer(directory: string): Promise<void> {
  const entries = { main: join(source, 'main.ts'), ...(await threadScripts(source)) };
  await bundle({ entries, directory, plugins: [thirdPartyLicenses()] });
  for (const file of pageFiles) await cp(join(source, 'api/docs', file), join(directory, 'api/docs', file));
}

async function buildDashboard(outDir: string): Promise<void> {
  // A release is built without it, of sources that have none.
  const { build } = await import('vite');
  await build({
    root: join(root, 'dashboard'),
    build: { outDir, emptyOutDir: true },
    plugins: [thirdPartyLicenses()],
    logLevel: 'warn',
  });
}

async function run(program: string, ...args: string[]): Promise<void> {
  const file = join(root, 'node_modules', program);
  const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
}

await build();
