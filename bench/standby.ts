import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { findBinaries, findPackage } from '../src/embedded/binaries.ts';
import { chooseAccount } from '../src/embedded/choose-account.ts';
import {
  type ClusterPlace,
  clusterDatabase,
  clusterPassword,
  clusterRole,
  configureCluster,
} from '../src/embedded/cluster.ts';
import type { ServerSettings } from '../src/embedded/server-settings.ts';
import { startEmbedded } from '../src/embedded/start-embedded.ts';
import { startSupervised } from '../src/embedded/supervised-server.ts';
import { freePort } from './child.ts';

export interface ReplicatedPair {
  primaryUrl: string;
  /** Answers reads, and streams from the primary. */
  standbyUrl: string;
  /** Ends both servers and removes their files. */
  stop(): Promise<void>;
}

const readyTimeoutMs = 60_000;
const readyPollMs = 50;
const copyTimeoutMs = 60_000;
/** The standby never has to be made anew: a flood of 4,000,000 rows writes 1.1 GB. */
const walKeepSize = '8GB';

/**
 * A primary and a streaming standby of the PostgreSQL that comes along, which brings no pg_basebackup and is newer than
 * the one of most systems. So the standby is a copy of the files of a primary that was stopped in order.
 * Both end with this process.
 */
export async function startReplicatedPair(options: { dir: string; fsync: boolean }): Promise<ReplicatedPair> {
  // PostgreSQL may run as another account, which only passes through.
  chmodSync(options.dir, 0o711);
  const home = mkdtempSync(join(options.dir, 'replicated-'));
  chmodSync(home, 0o711);
  const dirs = { primary: join(home, 'primary'), standby: join(home, 'standby') };
  mkdirSync(dirs.primary);
  const running: RunningServer[] = [];
  const stop = async () => {
    // The standby first: it would look for a primary that is gone.
    try {
      for (const server of running.splice(0).reverse()) await server.stop();
    } finally {
      // Whatever failed: both end with this process, and gigabytes must not stay.
      rmSync(home, { recursive: true, force: true });
    }
  };
  try {
    await (await startEmbedded({ dataDir: dirs.primary })).stop();
    copyDirectory(dirs.primary, dirs.standby);
    const settings = { fsync: options.fsync, wal_keep_size: walKeepSize };
    const primary = await startServer(dirs.primary, settings);
    running.push(primary);
    const { port, username, password } = new URL(primary.url);
    const source = `host=127.0.0.1 port=${port} user=${username} password=${password}`;
    const standby = await startServer(dirs.standby, { ...settings, primary_conninfo: source });
    running.push(standby);
    await untilStreaming(primary.url);
    return { primaryUrl: primary.url, standbyUrl: standby.url, stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

interface RunningServer {
  url: string;
  stop(): Promise<void>;
}

/** `cp -p`: the files keep their owner. */
function copyDirectory(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-pR', from, to], { encoding: 'utf8', timeout: copyTimeoutMs });
  if (status !== 0) throw new Error(`the primary's files could not be copied: ${stderr}`);
}

/** A standby where there is a primary to stream from. */
async function startServer(dataDir: string, settings: ServerSettings): Promise<RunningServer> {
  const clusterDir = join(dataDir, 'postgres');
  const account = await chooseAccount({ clusterDir, log: () => {} });
  const binaries = await findBinaries({ package: await findPackage(), dataDir, account });
  const place: ClusterPlace = { dataDir, clusterDir, account, binaries };
  const write = (name: string, text: string) => {
    const path = join(clusterDir, name);
    writeFileSync(path, text, { mode: 0o600 });
    if (account) chownSync(path, account.uid, account.gid);
    return path;
  };
  const access = ['all', 'replication'].map((what) => `host ${what} all 127.0.0.1/32 scram-sha-256\n`);
  const hbaFile = write('replicated_hba.conf', access.join(''));
  if (settings.primary_conninfo !== undefined) write('standby.signal', '');
  await configureCluster(place, { ...settings, hba_file: hbaFile });
  const port = await freePort();
  const server = await startSupervised({
    file: binaries.postgres,
    args: ['-D', clusterDir, '-c', `port=${port}`],
    account,
    logPath: join(dataDir, 'postgres-start.log'),
  });
  const url = `postgres://${clusterRole}:${await clusterPassword(place)}@127.0.0.1:${port}/${clusterDatabase}`;
  try {
    await until(`PostgreSQL in ${clusterDir} answers`, () => {
      if (server.hasEnded()) throw new Error(`PostgreSQL did not start in ${clusterDir}`);
      return ask(url, 'SELECT true AS yes').catch(() => false);
    });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { url, stop: () => server.stop() };
}

async function untilStreaming(primaryUrl: string): Promise<void> {
  const sql = `SELECT count(*) = 1 AS yes FROM pg_stat_replication WHERE state = 'streaming'`;
  await until('the standby streams', () => ask(primaryUrl, sql));
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + readyTimeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${readyTimeoutMs} ms: ${what}`);
    await delay(readyPollMs);
  }
}

async function ask(url: string, sql: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query<{ yes: boolean }>(sql)).rows[0]?.yes === true;
  } finally {
    await client.end().catch(() => {});
  }
}
