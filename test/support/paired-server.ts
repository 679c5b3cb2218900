import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBinaries, findPackage } from '../../src/embedded/binaries.ts';
import { chooseAccount } from '../../src/embedded/choose-account.ts';
import {
  type ClusterPlace,
  clusterDatabase,
  clusterPassword,
  clusterRole,
  configureCluster,
} from '../../src/embedded/cluster.ts';
import type { ServerSettings } from '../../src/embedded/server-settings.ts';
import { startSupervised } from '../../src/embedded/supervised-server.ts';
import { eventually } from '../embedded/eventually.ts';
import { queryValue } from '../embedded/query.ts';
import { freePort } from './free-port.ts';

export interface PairedServer {
  url: string;
  port: number;
  /** Of the server's first process. */
  pid: number;
  run(sql: string): Promise<unknown>;
  /** In order: the standby has everything by then. */
  stop(): Promise<void>;
}

/**
 * One of two servers on loopback, on a data directory that was used before: a standby where there is a primary to stream
 * from (`primary_conninfo`). It ends with this process.
 */
export async function startPairedServer(dataDir: string, settings: ServerSettings): Promise<PairedServer> {
  const clusterDir = join(dataDir, 'postgres');
  const account = await chooseAccount({ clusterDir, log: () => {} });
  const binaries = await findBinaries({ package: await findPackage(), dataDir, account });
  const place: ClusterPlace = { dataDir, clusterDir, account, binaries };
  const access = join(clusterDir, 'pair_hba.conf');
  const lines = ['all', 'replication'].map((what) => `host ${what} all 127.0.0.1/32 scram-sha-256\n`);
  await write(access, lines.join(''));
  if (settings.primary_conninfo !== undefined) await write(join(clusterDir, 'standby.signal'), '');
  await configureCluster(place, { ...settings, hba_file: access });
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
  const url = `postgres://${clusterRole}:${await clusterPassword(place)}@127.0.0.1:${port}/${clusterDatabase}`;
  const run = (sql: string) => queryValue(url, sql);
  try {
    await eventually('the server answers', () =>
      run('SELECT true').then(
        () => true,
        () => {
          if (server.hasEnded()) throw new Error(`PostgreSQL did not start in ${clusterDir}`);
          return false;
        },
      ),
    );
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { url, port, pid: server.pid, run, stop: () => server.stop() };
}

/** What a standby of it is given as `primary_conninfo`; `application_name` is what the primary calls it. */
export function conninfoOf(primary: PairedServer): string {
  const { username, password } = new URL(primary.url);
  return `host=127.0.0.1 port=${primary.port} user=${username} password=${password} application_name=standby`;
}

export async function untilStreaming(primary: PairedServer): Promise<void> {
  const sql = `SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'`;
  await eventually('the standby streams', async () => (await primary.run(sql)) === '1');
}
