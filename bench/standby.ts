import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbedded } from '../src/embedded/start-embedded.ts';
import {
  conninfoOf,
  type PairedServer,
  startPairedServer,
  untilStreaming,
} from '../test/support/paired-server.ts';

export interface ReplicatedPair {
  primaryUrl: string;
  /** Answers reads, and streams from the primary. */
  standbyUrl: string;
  /** Ends both servers and removes their files. */
  stop(): Promise<void>;
}

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
  const running: PairedServer[] = [];
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
    const primary = await startPairedServer(dirs.primary, settings);
    running.push(primary);
    const following = { ...settings, primary_conninfo: conninfoOf(primary) };
    const standby = await startPairedServer(dirs.standby, following);
    running.push(standby);
    await untilStreaming(primary);
    return { primaryUrl: primary.url, standbyUrl: standby.url, stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

/** `cp -p`: the files keep their owner. */
function copyDirectory(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-pR', from, to], { encoding: 'utf8', timeout: copyTimeoutMs });
  if (status !== 0) throw new Error(`the primary's files could not be copied: ${stderr}`);
}
