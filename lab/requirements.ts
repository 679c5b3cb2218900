import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './run-command.ts';

/** Programs that a cluster is made of, and the Debian package that brings each. */
const packages = {
  patroni: 'patroni',
  etcd: 'etcd-server',
  haproxy: 'haproxy',
  nft: 'nftables',
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setpriv: 'util-linux',
} as const;

export type LabProgram = keyof typeof packages;

const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
const postgresRoot = '/usr/lib/postgresql';
/** Of a server with everything that Patroni calls. */
const postgresPrograms = ['postgres', 'initdb', 'pg_ctl', 'pg_basebackup', 'pg_rewind', 'pg_controldata'];
const postgresMin = 15;

/** Where the programs are. */
export interface Tools {
  programs: Record<LabProgram, string>;
  /** Of the newest PostgreSQL that has all of its programs. */
  postgresDir: string;
  postgresVersion: number;
}

/** What the laboratory needs and this machine lacks: it is not tried. */
export class Unsuitable extends Error {
  override readonly name = 'Unsuitable';
}

/** @throws Unsuitable with everything that is missing, and how to get it */
export function findTools(): Tools {
  const missing: string[] = [];
  if (process.platform !== 'linux') missing.push('Linux: network and pid namespaces play the machines');
  if (process.getuid?.() !== 0) missing.push('root: it makes network namespaces, links and users’ processes');
  const programs = {} as Record<LabProgram, string>;
  const toInstall = new Set<string>();
  for (const [program, from] of Object.entries(packages) as [LabProgram, string][]) {
    const found = findProgram(program);
    if (found) programs[program] = found;
    else {
      missing.push(program);
      toInstall.add(from);
    }
  }
  const postgres = findPostgres();
  if (!postgres) {
    missing.push(
      `PostgreSQL ${postgresMin} or newer with pg_basebackup and pg_rewind in ${postgresRoot}/N/bin`,
    );
    toInstall.add('postgresql');
  }
  if (missing.length > 0 || !postgres) throw new Unsuitable(describeMissing(missing, toInstall));
  return { programs, postgresDir: postgres.directory, postgresVersion: postgres.version };
}

/** Root alone is not enough: a container may have no right to make namespaces. */
export async function proveNamespaces({ programs }: Tools, name: string): Promise<void> {
  try {
    await runCommand(programs.ip, ['netns', 'add', name]);
    await runCommand(programs.ip, ['link', 'add', name, 'type', 'bridge']);
  } catch (error) {
    throw new Unsuitable(
      `the laboratory cannot run here: namespaces or bridges cannot be made (${(error as Error).message})`,
    );
  } finally {
    await runCommand(programs.ip, ['link', 'del', name]).catch(() => {});
    await runCommand(programs.ip, ['netns', 'del', name]).catch(() => {});
  }
}

function describeMissing(missing: string[], toInstall: Set<string>): string {
  const lines = ['the laboratory cannot run here; it needs:', ...missing.map((what) => `  ${what}`)];
  if (toInstall.size > 0) {
    lines.push(`On Debian or Ubuntu: apt-get install --no-install-recommends ${[...toInstall].join(' ')}`);
    lines.push('Their services are not needed and may stay stopped.');
  }
  return lines.join('\n');
}

function findProgram(program: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...systemDirectories];
  return directories.map((directory) => join(directory, program)).find(isExecutable);
}

function findPostgres(): { directory: string; version: number } | undefined {
  if (!existsSync(postgresRoot)) return undefined;
  const versions = readdirSync(postgresRoot)
    .map(Number)
    .filter((version) => version >= postgresMin);
  return versions
    .sort((a, b) => b - a)
    .map((version) => ({ version, directory: join(postgresRoot, String(version), 'bin') }))
    .find(({ directory }) => postgresPrograms.every((program) => isExecutable(join(directory, program))));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
