import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries, findPackage } from './binaries.ts';
import { chooseAccount } from './choose-account.ts';
import {
  type ClusterPlace,
  checkMajor,
  clusterDatabase,
  clusterMajor,
  clusterPassword,
  clusterRole,
  configureCluster,
  createCluster,
} from './cluster.ts';
import { EmbeddedError } from './embedded-error.ts';
import { openPassage } from './passage.ts';
import { readPostmasterFile } from './postmaster-file.ts';
import { awaitPredecessor, recordOwner } from './predecessor.ts';
import type { ServerSettings } from './server-settings.ts';
import { type SupervisedServer, startSupervised } from './supervised-server.ts';

export interface EmbeddedOptions {
  /** Made when it is missing. The cluster is in `<dataDir>/postgres`. */
  dataDir: string;
  /** Over Millrace's own, by PostgreSQL's names. */
  settings?: ServerSettings;
  /** To listen on; any free one when absent. */
  port?: number;
  log?: (message: string) => void;
  /** Ends a start under way. */
  signal?: AbortSignal;
}

export interface EmbeddedServer {
  /** With the password: not for logs. */
  url: string;
  port: number;
  /** Process id of the server. */
  pid: number;
  /** Resolves when the server has ended, for whatever reason; without `stop` it is a fault. */
  ended: Promise<void>;
  /** Ends the server in order; its clients should have closed. May be called twice. */
  stop(): Promise<void>;
}

const readyPollMs = 20;
/** Recovery after a crash replays at most `max_wal_size` of log. */
const readyMs = 600_000;
/** Another process can take the port between its choice and the server's bind; backends can outlive a killed server. */
const startsMax = 20;
const restartPauseMs = 250;

/**
 * Starts the PostgreSQL that comes along, for an ordinary user or for root, making the cluster at the first
 * start. It ends with this process, whichever way that ends.
 * @throws EmbeddedError
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { settings = {}, log = () => {}, signal } = options;
  const platformPackage = await findPackage();
  const account = await chooseAccount({ clusterDir: join(options.dataDir, 'postgres'), log });
  await openPassage(resolve(options.dataDir), account);
  // A server is recognised by its command line, so one directory must have one name.
  const dataDir = await realpath(options.dataDir);
  const clusterDir = join(dataDir, 'postgres');
  const binaries = await findBinaries({ package: platformPackage, dataDir, account });
  const place: ClusterPlace = { dataDir, clusterDir, account, binaries };

  const major = await clusterMajor(clusterDir);
  if (major === undefined) {
    log(`making a PostgreSQL ${binaries.major} database in ${clusterDir}`);
    await createCluster(place);
  } else {
    checkMajor(clusterDir, major, binaries);
  }
  await awaitPredecessor({ dataDir, clusterDir, log, signal });
  const password = await clusterPassword(place);
  await configureCluster(place, settings);
  signal?.throwIfAborted();

  const { server, port } = await startReady(place, { port: options.port, signal });
  await recordOwner(dataDir, server.pid);
  server.unref();
  return {
    url: `postgres://${clusterRole}:${password}@127.0.0.1:${port}/${clusterDatabase}`,
    port,
    pid: server.pid,
    ended: server.ended,
    stop: () => server.stop(),
  };
}

/** Starts until a server is ready to serve, again where the reason is known to pass. */
async function startReady(
  place: ClusterPlace,
  { port: asked, signal }: { port: number | undefined; signal: AbortSignal | undefined },
): Promise<{ server: SupervisedServer; port: number }> {
  const { dataDir, clusterDir, account, binaries } = place;
  const logPath = join(dataDir, 'postgres-start.log');
  for (let start = 1; ; start++) {
    const port = asked ?? (await freePort());
    const args = ['-D', clusterDir, '-c', `port=${port}`];
    const server = await startSupervised({ file: binaries.postgres, args, account, logPath });
    if (await becomesReady({ server, clusterDir, port, signal })) return { server, port };
    const said = await lastWords(logPath, clusterDir);
    if (/lock file "postmaster.pid" already exists/.test(said)) {
      throw new EmbeddedError('data_in_use', `The data directory ${dataDir} is in use by another Millrace.`);
    }
    const passing = /Address already in use|pre-existing shared memory block/.test(said);
    if (!passing || start === startsMax) {
      throw new EmbeddedError('start_failed', `PostgreSQL did not start in ${clusterDir}:\n${said}`);
    }
    await sleep(restartPauseMs, undefined, { signal });
  }
}

/** Asks the system for a port that nobody listens on. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((listening, failed) => {
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', listening);
  });
  const address = probe.address();
  await new Promise((closed) => probe.close(closed));
  if (address === null || typeof address === 'string') throw new Error('a TCP socket has a port');
  return address.port;
}

/** Whether the server came to serve; false when it ended instead. */
async function becomesReady(settings: {
  server: SupervisedServer;
  clusterDir: string;
  port: number;
  signal: AbortSignal | undefined;
}): Promise<boolean> {
  const { server, clusterDir, signal } = settings;
  const since = performance.now();
  try {
    while (!server.hasEnded()) {
      const file = await readPostmasterFile(clusterDir);
      if (file?.pid === server.pid && file.status === 'ready') return true;
      if (performance.now() - since > readyMs) {
        throw new EmbeddedError(
          'start_failed',
          `PostgreSQL in ${clusterDir} was not ready after ${readyMs / 1_000} s`,
        );
      }
      await sleep(readyPollMs, undefined, { signal });
    }
    return false;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The end of what the server wrote: first to our file, then to its own log. What cannot be read is left out. */
async function lastWords(logPath: string, clusterDir: string): Promise<string> {
  const paths = [logPath];
  const logDir = join(clusterDir, 'log');
  const names = await readdir(logDir).catch(() => []);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(logDir, name))).mtimeMs })),
  );
  const newest = dated.sort((a, b) => b.mtimeMs - a.mtimeMs)[0];
  if (newest) paths.push(join(logDir, newest.name));
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
  return texts
    .map((text) => text.trim().split('\n').slice(-lastWordsLines).join('\n'))
    .join('\n')
    .trim();
}

const lastWordsLines = 12;
