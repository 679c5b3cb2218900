import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseAccount } from '../../src/embedded/choose-account.ts';
import { type Account, runProgram } from '../../src/embedded/run-program.ts';
import { findProgram, type Program } from './find-program.ts';
import { freePort } from './free-port.ts';

/** A PostgreSQL server of a cluster of Debian's programs, which have `pg_basebackup`; those that come along do not. */
export interface ClusterServer {
  url: string;
  port: number;
  directory: string;
  /** As a superuser, in its database. */
  ask(sql: string): Promise<void>;
  /** `immediate` is a crash: what was not flushed is replayed at the next start. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  /** Says nothing from now on, like a machine whose network is gone: whoever connects, or waits, goes on waiting. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

export interface Cluster {
  primary: ClusterServer;
  /** A plain standby that applies what it is sent after this long. */
  addStandby(settings?: { applyDelayMs?: number }): Promise<ClusterServer>;
  close(): Promise<void>;
}

const role = 'millrace';
const programMaxMs = 60_000;

/** One primary with a database and a role `millrace` that owns it; `superuser` may do all. */
export async function startCluster(): Promise<Cluster> {
  const home = await mkdtemp(join(tmpdir(), 'millrace-cluster-'));
  const account = await chooseAccount({ clusterDir: join(home, 'none'), log: () => {} });
  if (account) await chown(home, account.uid, account.gid);
  await chmod(home, 0o700);
  const servers: ClusterServer[] = [];

  async function addServer(name: string, make: (directory: string) => Promise<void>, own = '') {
    const directory = join(home, name);
    await make(directory);
    const port = await freePort();
    const lines = `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n${settings}\n${own}\n`;
    await writeFile(join(directory, 'here.conf'), lines);
    if (account) await chown(join(directory, 'here.conf'), account.uid, account.gid);
    const server = serverAt({ directory, port, account });
    servers.push(server);
    await server.start();
    return server;
  }

  const primary = await addServer('primary', (directory) => initialise(directory, account));
  await run('psql', [`postgres://superuser@127.0.0.1:${primary.port}/postgres`, ...madeRole], account);
  let standbys = 0;
  return {
    primary,
    addStandby: ({ applyDelayMs = 0 } = {}) =>
      addServer(
        `standby-${++standbys}`,
        (directory) => copy(primary, { directory, account }),
        `recovery_min_apply_delay = ${applyDelayMs}ms`,
      ),
    async close() {
      await Promise.all(servers.map((server) => server.stop('immediate')));
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** A standby must allow as much as its primary. Nothing outlives the tests, and standbys are soon told of what is written. */
const settings = `fsync = off
max_connections = 200
wal_keep_size = 512MB
max_wal_senders = 20
wal_sender_timeout = 10s`;

const madeRole = ['-c', `CREATE ROLE ${role} LOGIN`, '-c', `CREATE DATABASE ${role} OWNER ${role}`];

async function initialise(directory: string, account: Account | undefined): Promise<void> {
  const auth = ['-U', 'superuser', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'];
  await run('initdb', ['-D', directory, ...auth], account);
  const main = join(directory, 'postgresql.conf');
  await writeFile(main, "include = 'here.conf'\n", { flag: 'a' });
}

async function copy(
  { port }: ClusterServer,
  { directory, account }: { directory: string; account: Account | undefined },
): Promise<void> {
  const from = ['-h', '127.0.0.1', '-p', String(port), '-U', 'superuser'];
  await run(
    'pg_basebackup',
    [...from, '-D', directory, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'],
    account,
  );
}

function serverAt(at: { directory: string; port: number; account: Account | undefined }): ClusterServer {
  const { directory, port, account } = at;
  const control = (...args: string[]) => run('pg_ctl', ['-D', directory, '-w', '-t', '60', ...args], account);
  let up = false;
  let frozen: number[] = [];
  const thaw = async () => {
    for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
  };
  return {
    url: `postgres://${role}@127.0.0.1:${port}/${role}`,
    port,
    directory,
    ask: (sql) => run('psql', [`postgres://superuser@127.0.0.1:${port}/${role}`, '-c', sql], account),
    async start() {
      await control('-l', join(directory, 'server.log'), 'start');
      up = true;
    },
    async stop(mode = 'fast') {
      if (!up) return;
      up = false;
      await thaw();
      await control('-m', mode, 'stop');
    },
    async freeze() {
      const pid = Number.parseInt(await readFile(join(directory, 'postmaster.pid'), 'utf8'), 10);
      // It first, so that it starts no other meanwhile.
      process.kill(pid, 'SIGSTOP');
      frozen = [pid, ...(await childrenOf(pid))];
      for (const child of frozen) process.kill(child, 'SIGSTOP');
    },
    thaw,
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const { output } = await runProgram({
    file: 'ps',
    args: ['-o', 'pid=', '--ppid', String(pid)],
    timeoutMs: programMaxMs,
  });
  return output.trim().split(/\s+/).map(Number);
}

async function run(program: Program, args: string[], account: Account | undefined): Promise<void> {
  const file = findProgram(program);
  if (file === undefined) throw new Error(`${program} is not on this machine`);
  const { status, output } = await runProgram({ file, args, account, timeoutMs: programMaxMs });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${output}`);
}
