import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseAccount } from '../../src/embedded/choose-account.ts';
import { findProgram } from './find-program.ts';
import { freePort } from './free-port.ts';

export interface PgBouncer {
  /** The database's URL by way of it. */
  url: string;
  /** Ends it at once, with all connections, and starts it anew on the same port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const pollMs = 20;

/**
 * PgBouncer in transaction mode with few connections: each transaction may get another one of the server. Needs
 * `pgbouncer`.
 */
export async function startPgBouncer(databaseUrl: string): Promise<PgBouncer> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-pgbouncer-'));
  const port = await freePort();
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(file, configurationOf(new URL(databaseUrl), port), { mode: 0o600 });
  // It refuses to run as root, and reads its file as whom it becomes.
  const account = await chooseAccount({ clusterDir: directory, log: () => {} });
  if (account) for (const path of [directory, file]) await chown(path, account.uid, account.gid);
  const args = ['-q', ...(account ? ['-u', account.name] : []), file];
  let pooler: ChildProcess;
  const start = async () => {
    pooler = spawn(findProgram('pgbouncer')!, args, { stdio: 'ignore' });
    while (!(await accepts(port))) {
      if (hasEnded(pooler)) throw new Error('pgbouncer ended by itself');
      await sleep(pollMs);
    }
  };
  const end = async (signal: NodeJS.Signals) => {
    if (hasEnded(pooler)) return;
    pooler.kill(signal);
    await once(pooler, 'exit');
  };
  await start();
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    async restart() {
      await end('SIGKILL');
      await start();
    },
    async stop() {
      await end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** It logs in at the server as the user of the URL, whoever comes: nothing here is of worth. */
function configurationOf({ hostname, port, username, password }: URL, listenPort: number): string {
  return `[databases]
* = host=${hostname} port=${port} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
`;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
