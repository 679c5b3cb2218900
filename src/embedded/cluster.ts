import { randomBytes } from 'node:crypto';
import { chown, link, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../lib/sync-directory.ts';
import type { Binaries } from './binaries.ts';
import { EmbeddedError } from './embedded-error.ts';
import { readIfPresent } from './read-if-present.ts';
import { type Account, runProgram } from './run-program.ts';
import { renderSettings, type ServerSettings, serverSettings } from './server-settings.ts';

/** The embedded server's only role and its database. */
export const clusterRole = 'millrace';
export const clusterDatabase = 'millrace';

export interface ClusterPlace {
  dataDir: string;
  clusterDir: string;
  account: Account | undefined;
  binaries: Binaries;
}

const initdbTimeoutMs = 180_000;
const singleUserTimeoutMs = 600_000;
const passwordFile = 'postgres.password';
const unfinishedPrefix = 'postgres.new-';

/** The major version that wrote the cluster; undefined when there is none yet. */
export async function clusterMajor(clusterDir: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(join(clusterDir, 'PG_VERSION'), 'utf8'), 10);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new EmbeddedError(
      'data_unreachable',
      `The database in ${clusterDir} belongs to another user (${code}). ` +
        'Run Millrace as that user or as root, or choose another data directory with --data.',
      { cause: error },
    );
  }
}

/** @throws EmbeddedError `other_major` */
export function checkMajor(clusterDir: string, found: number, binaries: Binaries): void {
  if (found === binaries.major) return;
  throw new EmbeddedError(
    'other_major',
    `The database in ${clusterDir} was written by PostgreSQL ${found}; this Millrace comes with ${binaries.major}. ` +
      'Nothing was changed. docs/upgrade-postgresql.md says how to take the data along.',
  );
}

/**
 * Makes the cluster beside its place and moves it there whole, so that a start that is killed midway leaves
 * nothing behind that a later one would take for a database.
 */
export async function createCluster(place: ClusterPlace): Promise<void> {
  const { dataDir, clusterDir, account, binaries } = place;
  await removeUnfinished(dataDir);
  const unfinished = await mkdtemp(join(dataDir, `${unfinishedPrefix}${process.pid}-`));
  const passwordPath = join(unfinished, 'password');
  const cluster = join(unfinished, 'cluster');
  const password = (await readPassword(dataDir)) ?? (await ensurePassword(dataDir));
  try {
    await writeFile(passwordPath, password, { mode: 0o600 });
    await mkdir(cluster, { mode: 0o700 });
    for (const path of [passwordPath, cluster, unfinished]) await giveTo(account, path);
    const args = ['-D', cluster, '-U', clusterRole, '-A', 'scram-sha-256', '--pwfile', passwordPath];
    // Text sorts and compares by code point: the same on every system, and the fastest.
    args.push('--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
    args.push('--data-checksums', '--no-instructions');
    const made = await runProgram({ file: binaries.initdb, args, account, timeoutMs: initdbTimeoutMs });
    if (made.status !== 0) throw startFailed('initdb could not make the database', made.output);
    await runSingleUser({ ...place, clusterDir: cluster }, `CREATE DATABASE ${clusterDatabase}`);
    await moveUnlessTaken(cluster, clusterDir);
    await syncDirectory(dataDir);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Writes the configuration anew, so that a newer release's settings reach an old cluster. */
export async function configureCluster(place: ClusterPlace, settings: ServerSettings): Promise<void> {
  const access = [
    '# Written by Millrace at every start.',
    'local all all scram-sha-256',
    'host all all 127.0.0.1/32 scram-sha-256',
    'host all all ::1/128 scram-sha-256',
    '',
  ].join('\n');
  const files = {
    'postgresql.conf': renderSettings({ ...serverSettings, ...settings }),
    'pg_hba.conf': access,
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(place.clusterDir, name);
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    await writeFile(temporary, text, { mode: 0o600 });
    await giveTo(place.account, temporary);
    await rename(temporary, path);
  }
}

/** The role's password. When its file was lost, a new one is made and set, for which the server must not run. */
export async function clusterPassword(place: ClusterPlace): Promise<string> {
  const known = await readPassword(place.dataDir);
  if (known) return known;
  const password = await ensurePassword(place.dataDir);
  await runSingleUser(place, `ALTER ROLE ${clusterRole} PASSWORD '${password}'`);
  return password;
}

/** Undefined where there is none, or it is not this user's to read. */
export async function readPassword(dataDir: string): Promise<string | undefined> {
  const text = (await readIfPresent(join(dataDir, passwordFile))) ?? '';
  return /^[0-9a-f]{48}$/.exec(text.trim())?.[0];
}

/** Of two starts at once the first one's file stands. It appears whole: a link cannot replace a file. */
async function ensurePassword(dataDir: string): Promise<string> {
  const path = join(dataDir, passwordFile);
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flush: true });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const password = await readPassword(dataDir);
  if (password) return password;
  throw new EmbeddedError(
    'start_failed',
    `${path} does not hold the password that Millrace wrote. Delete it.`,
  );
}

/** What a killed start left: the directories of processes that are gone. */
async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    const maker =
      name.startsWith(unfinishedPrefix) && Number.parseInt(name.slice(unfinishedPrefix.length), 10);
    if (!maker || (maker !== process.pid && processExists(maker))) continue;
    await rm(join(dataDir, name), { recursive: true, force: true });
  }
}

function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Runs one statement without a server; a cluster that was not shut down is recovered first. */
async function runSingleUser(place: ClusterPlace, sql: string): Promise<void> {
  const { status, output } = await runProgram({
    file: place.binaries.postgres,
    args: ['--single', '-D', place.clusterDir, '-c', 'exit_on_error=on', 'postgres'],
    account: place.account,
    input: `${sql}\n`,
    timeoutMs: singleUserTimeoutMs,
  });
  if (status !== 0) throw startFailed('PostgreSQL could not prepare the database', output);
}

/** Another start that was first keeps its place. */
async function moveUnlessTaken(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

async function giveTo(account: Account | undefined, path: string): Promise<void> {
  if (account) await chown(path, account.uid, account.gid);
}

function startFailed(what: string, output: string): EmbeddedError {
  return new EmbeddedError('start_failed', `${what}:\n${output}`);
}
