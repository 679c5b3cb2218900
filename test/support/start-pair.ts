import { chown, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { findBinaries, findPackage } from '../../src/embedded/binaries.ts';
import { chooseAccount } from '../../src/embedded/choose-account.ts';
import {
  clusterDatabase,
  clusterPassword,
  clusterRole,
  configureCluster,
} from '../../src/embedded/cluster.ts';
import { startSupervised } from '../../src/embedded/supervised-server.ts';
import { usedDirectory } from '../embedded/data-directory.ts';
import { eventually } from '../embedded/eventually.ts';
import { queryValue } from '../embedded/query.ts';

export interface PairedServer {
  url: string;
  port: number;
  /** Of the server's first process. */
  pid: number;
  run(sql: string): Promise<unknown>;
  /** In order: the standby has everything by then. */
  stop(): Promise<void>;
}

export interface Pair {
  primary: PairedServer;
  /** Streams from the primary; `pg_promote()` makes a primary of it. */
  standby: PairedServer;
  /** Of both, the primary first. */
  url: string;
}

/** Two servers on loopback, one of which follows the other: copies of one cluster. They end with the test. */
export async function startPair(): Promise<Pair> {
  const primary = await startServer({ settings: {} });
  const { username, password } = new URL(primary.url);
  const source = `host=127.0.0.1 port=${primary.port} user=${username} password=${password} application_name=standby`;
  const standby = await startServer({ settings: { primary_conninfo: source }, signal: 'standby.signal' });
  await eventually('the standby streams', async () => {
    return (await primary.run(`SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`)) === '1';
  });
  return { primary, standby, url: urlOf([primary, standby]) };
}

/** Of several hosts, in this order, with the first one's user and database. */
export function urlOf(servers: readonly { url: string }[]): string {
  const [first] = servers.map(({ url }) => new URL(url));
  const hosts = servers.map(({ url }) => new URL(url).host);
  return `postgres://${first!.username}:${first!.password}@${hosts.join(',')}${first!.pathname}`;
}

async function startServer(made: {
  settings: Record<string, string>;
  signal?: string;
}): Promise<PairedServer> {
  const dataDir = await usedDirectory();
  const clusterDir = join(dataDir, 'postgres');
  const account = await chooseAccount({ clusterDir, log: () => {} });
  const binaries = await findBinaries({ package: await findPackage(), dataDir, account });
  const place = { dataDir, clusterDir, account, binaries };
  const access = join(clusterDir, 'pair_hba.conf');
  const lines = ['all', 'replication'].map((what) => `host ${what} all 127.0.0.1/32 scram-sha-256\n`);
  await write(access, lines.join(''));
  if (made.signal) await write(join(clusterDir, made.signal), '');
  // Nothing here outlives a crash of the machine.
  await configureCluster(place, { hba_file: access, fsync: false, ...made.settings });
  async function write(path: string, text: string): Promise<void> {
    await writeFile(path, text, { mode: 0o600 });
    if (account) await chown(path, account.uid, account.gid);
  }

  const port = await freePort();
  const server = await startSupervised({
    file: binaries.postgres,
    args: ['-D', clusterDir, '-c', `port=${port}`],
    account,
    logPath: join(dataDir, 'postgres-start.log'),
  });
  onTestFinished(() => server.stop());
  const url = `postgres://${clusterRole}:${await clusterPassword(place)}@127.0.0.1:${port}/${clusterDatabase}`;
  const run = (sql: string) => queryValue(url, sql);
  await eventually('the server answers', () =>
    run('SELECT true').then(
      () => true,
      () => {
        if (server.hasEnded()) throw new Error(`PostgreSQL did not start in ${clusterDir}`);
        return false;
      },
    ),
  );
  return { url, port, pid: server.pid, run, stop: () => server.stop() };
}

async function freePort(): Promise<number> {
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
