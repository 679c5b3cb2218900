import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;

/** A project of its own whose node_modules holds the packed package and nothing else. */
export interface PackedProject {
  path: string;
  /** Where the package lies in it. */
  installed: string;
  /** What the compiler says of these sources, by file; it leaves their JavaScript beside them. */
  compile(sources: Record<string, string>): Promise<string>;
  remove(): Promise<void>;
}

export async function packedProject(): Promise<PackedProject> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'millrace-package-')));
  const installed = join(path, 'node_modules/millrace');
  await mkdir(installed, { recursive: true });
  // Without scripts: `npm test` has built, and a build beside running tests would take files from under them.
  const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', path];
  const { stdout } = await run('npm', packing, { cwd: root });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await run('tar', ['-xzf', join(path, filename), '-C', installed, '--strip-components=1']);
  await writeFile(join(path, 'package.json'), '{"type": "module"}');
  return {
    path,
    installed,
    compile: (sources) => compile(path, sources),
    remove: () => rm(path, { recursive: true }),
  };
}

async function compile(path: string, sources: Record<string, string>): Promise<string> {
  for (const [file, source] of Object.entries(sources)) await writeFile(join(path, file), source);
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ module: 'NodeNext', target: 'ES2023', lib: ['ES2023'], skipLibCheck: false },
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const files = Object.keys(sources);
  await writeFile(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [compiler, '-p', path]).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

/** The blocks of TypeScript of docs/client.md, which are one program. */
export async function documentedProgram(): Promise<string> {
  const page = await readFile(join(root, 'docs/client.md'), 'utf8');
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block!);
  if (blocks.length < 8) throw new Error(`docs/client.md shows ${blocks.length} examples`);
  return blocks.join('\n');
}
