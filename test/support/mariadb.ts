import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { chooseAccount } from '../../src/embedded/choose-account.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

export interface TestMariadb {
  /** As one who may do everything, with no database. */
  url: string;
  /** Makes an empty database and answers its URL. */
  createDatabase(name: string): Promise<string>;
  stop(): Promise<void>;
}

const pollMs = 50;
const readyMs = 120_000;

/** A MariaDB of its own, on a free port of this machine. Needs `mariadbd` and `mariadb-install-db`. */
export async function startMariadb(): Promise<TestMariadb> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-mariadb-'));
  const data = join(directory, 'data');
  await mkdir(data);
  // It refuses to run as root, too.
  const account = await chooseAccount({ clusterDir: directory, log: () => {} });
  if (account) for (const path of [directory, data]) await chown(path, account.uid, account.gid);
  const asWhom = account ? [`--user=${account.name}`] : [];
  await promisify(execFile)(findProgram('mariadb-install-db')!, [
    ...['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    ...asWhom,
  ]);
  const port = await freePort();
  const server = spawn(
    findProgram('mariadbd')!,
    [
      ...['--no-defaults', `--datadir=${data}`, `--socket=${join(directory, 'socket')}`, ...asWhom],
      ...['--bind-address=127.0.0.1', `--port=${port}`, `--pid-file=${join(directory, 'pid')}`],
      // Nothing here outlives a crash of the machine.
      ...['--innodb-flush-log-at-trx-commit=2', '--innodb-buffer-pool-size=64M', '--skip-name-resolve'],
    ],
    { stdio: 'ignore' },
  );
  const url = `mariadb://root@127.0.0.1:${port}`;
  try {
    await ready(url, server);
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
  return {
    url,
    async createDatabase(name) {
      await query(url, `CREATE DATABASE ${name}`);
      return `${url}/${name}`;
    },
    async stop() {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGTERM');
        await once(server, 'exit');
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function ready(url: string, server: ChildProcess): Promise<void> {
  const deadline = performance.now() + readyMs;
  for (;;) {
    try {
      return await query(url, 'SELECT 1');
    } catch (error) {
      if (server.exitCode !== null || performance.now() > deadline) throw error;
      await sleep(pollMs);
    }
  }
}

async function query(url: string, sql: string): Promise<void> {
  const connection = await createConnection(url.replace(/^mariadb:/, 'mysql:'));
  try {
    await connection.query(sql);
  } finally {
    connection.destroy();
  }
}
