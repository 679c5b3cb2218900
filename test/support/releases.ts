import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { builtMain } from './start-process.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
/** What a build without the dashboard needs of a commit; packages are those of this tree. */
const sources = ['src', 'scripts', 'migrations', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** A program in a directory of its own, with its migrations. */
export interface Release {
  /** Its main file. */
  program: string;
  /** The last migration that it knows. */
  schema: number;
  remove(): Promise<void>;
}

/** The newest commit that has fewer migrations than this tree; undefined where history does not go back so far. */
export async function newestOtherSchema(): Promise<string | undefined> {
  try {
    const changed = await git('status', '--porcelain', '--', 'migrations');
    if (changed !== '') return await git('rev-parse', 'HEAD');
    // What only words one anew before it is released leaves the schema as it is.
    const newest = await git('log', '-1', '--diff-filter=A', '--format=%H', '--', 'migrations');
    return await git('rev-parse', '--verify', '--quiet', `${newest}^`);
  } catch {
    return undefined;
  }
}

export async function buildCommit(commit: string): Promise<Release> {
  const directory = await makeDirectory();
  const archive = join(directory, 'sources.tar');
  await git('archive', '--format=tar', `--output=${archive}`, commit, ...sources);
  await run('tar', ['-xf', archive, '-C', directory]);
  await buildIn(directory);
  return await releaseIn(directory);
}

/** This build with one more migration. */
export async function nextRelease(sql: string, previous?: Release): Promise<Release> {
  const directory = await makeDirectory();
  const from = dirname(dirname(previous?.program ?? builtMain()));
  for (const part of ['dist', 'migrations', 'package.json']) {
    await cp(join(from, part), join(directory, part), { recursive: true });
  }
  const { schema } = await releaseIn(directory);
  const version = String(schema + 1).padStart(4, '0');
  await writeFile(join(directory, 'migrations', `${version}_next.sql`), sql);
  return await releaseIn(directory);
}

async function buildIn(directory: string): Promise<void> {
  const node = (...args: string[]) => run(process.execPath, args, { cwd: directory });
  const script = join(directory, 'scripts', 'build.ts');
  if (existsSync(script)) {
    await node('--import', import.meta.resolve('tsx'), script, 'server');
    return;
  }
  // A commit from before that script: compiled without checks, for it was checked against the packages of then.
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await node(compiler, '-p', 'tsconfig.build.json', '--noCheck');
  const page = 'api/docs';
  for (const file of ['page.css', 'page.js'])
    await cp(join(directory, 'src', page, file), join(directory, 'dist', page, file));
}

async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-release-'));
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

async function releaseIn(directory: string): Promise<Release> {
  const names = await readdir(join(directory, 'migrations'));
  return {
    program: join(directory, 'dist', 'main.js'),
    schema: Math.max(...names.map((name) => Number.parseInt(name, 10))),
    remove: () => rm(directory, { recursive: true }),
  };
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', root, ...args]);
  return stdout.trim();
}
