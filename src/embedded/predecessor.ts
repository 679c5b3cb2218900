import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedError } from './embedded-error.ts';
import { disownPostmasterFile, readPostmasterFile } from './postmaster-file.ts';
import { readIfPresent } from './read-if-present.ts';
import { runProgram } from './run-program.ts';

const pollMs = 25;
/** A server whose Millrace was just killed needs a moment to notice; one that is not stopping by then is in use. */
const graceMs = 2_000;
/** A fast shutdown writes one checkpoint: at most `shared_buffers`, which a slow disk takes a minute for. */
const shutdownMs = 120_000;
const ownerFile = 'postgres.owner';

/**
 * Returns once no live server has the cluster open. One whose Millrace was killed is about to stop, and is
 * waited for (and told to, should its watcher have been killed as well); one that another Millrace runs is
 * an error. A pid file left by a crash is made harmless, also when its process id has a new bearer.
 * @throws EmbeddedError `data_in_use`
 */
export async function awaitPredecessor(settings: {
  dataDir: string;
  clusterDir: string;
  log: (message: string) => void;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { dataDir, clusterDir, log, signal } = settings;
  const since = performance.now();
  let pid = 0;
  for (;;) {
    const file = await readPostmasterFile(clusterDir);
    // The file goes a moment before the process does, and the shared memory with the process.
    const first = pid === 0;
    pid = file?.pid ?? pid;
    if (!isAlive(pid)) return;
    if (!(await isPostmasterOf(pid, clusterDir))) return disownPostmasterFile(clusterDir);
    if (first) log(`PostgreSQL ${pid} has the data directory open; waiting for it to stop`);
    const waitedMs = performance.now() - since;
    if (file && file.status !== 'stopping') {
      const owner = await readOwner(dataDir, pid);
      if (owner && !isAlive(owner)) tell(pid, 'SIGINT');
      else if (waitedMs > graceMs)
        throw inUse(dataDir, pid, owner ? `run by Millrace process ${owner}` : 'live');
    }
    if (waitedMs > shutdownMs) throw inUse(dataDir, pid, `shutting down for ${shutdownMs / 1_000} s`);
    await sleep(pollMs, undefined, { signal });
  }
}

/** Writes down which Millrace runs the server `postmasterPid`. Called when it serves, so that a loser of a race leaves no word. */
export async function recordOwner(dataDir: string, postmasterPid: number): Promise<void> {
  await writeFile(join(dataDir, ownerFile), `${process.pid} ${postmasterPid}\n`);
}

async function readOwner(dataDir: string, postmasterPid: number): Promise<number | undefined> {
  const text = (await readIfPresent(join(dataDir, ownerFile))) ?? '';
  const [owner, postmaster] = text.split(' ').map(Number);
  return postmaster === postmasterPid ? owner : undefined;
}

function isAlive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function tell(pid: number, signal: 'SIGINT'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone, or not ours to signal: the next look tells.
  }
}

/** Whether the process is a server of this very cluster, by the command line that it was given here. */
async function isPostmasterOf(pid: number, clusterDir: string): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const command = await commandOf(pid);
  return command.includes('postgres') && command.includes(` -D ${clusterDir} -c `);
}

/** From /proc on Linux, where `ps` need not be installed; from `ps` elsewhere. */
async function commandOf(pid: number): Promise<string> {
  const fromProc = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (fromProc !== undefined) return fromProc.replaceAll('\0', ' ');
  const { output } = await runProgram({
    file: 'ps',
    args: ['-ww', '-o', 'command=', '-p', String(pid)],
    timeoutMs: 5_000,
  });
  return output;
}

function inUse(dataDir: string, pid: number, how: string): EmbeddedError {
  return new EmbeddedError(
    'data_in_use',
    `The data directory ${dataDir} is in use: its PostgreSQL is process ${pid}, ${how}. ` +
      'Stop that one, or choose another data directory with --data.',
  );
}
