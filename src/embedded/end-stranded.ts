import { readFile } from 'node:fs/promises';
import { systemClock } from '../lib/clock.ts';

export interface WatchedServer {
  /** Process id of the server. */
  pid: number;
  /** It is about to be ended: what it was doing, in words. */
  onStranded: (reason: string) => void;
  /** Ends the watch. */
  signal: AbortSignal;
}

/** Between two looks at its processes; so many in a row must say the same: a server that restarts has neither for moments. */
const lookEveryMs = 2_000;
const looksMax = 5;

/**
 * Ends a server that neither serves nor recovers. PostgreSQL 18 whose start-up process dies as it begins to recover from
 * a crash, by an error of the disk, waits for ever: with its checkpointer and the workers of its input and output, for
 * nothing (seen with 18.4). It answers "in recovery mode" all the time, and does not heed a request to stop in order.
 * What its processes are is known on Linux alone; elsewhere nothing is done.
 */
export async function endStranded({ pid, onStranded, signal }: WatchedServer): Promise<void> {
  try {
    for (let looks = 0; looks < looksMax; ) {
      await systemClock.sleep(lookEveryMs, signal);
      const processes = await processesOf(pid);
      if (!processes) return;
      looks = processes.some(servesOrRecovers) ? 0 : looks + 1;
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  onStranded(
    `PostgreSQL (process ${pid}) is stuck: it waits for a recovery that nothing carries out; it is ended`,
  );
  try {
    process.kill(pid, 'SIGQUIT');
  } catch {
    // It ended meanwhile.
  }
}

/**
 * Whether a process of this title is one that a server has as long as it does either (PostgreSQL documentation,
 * `update_process_title`), or while it shuts down; `cluster_name`, where it is set, stands before.
 */
export function servesOrRecovers(title: string): boolean {
  return /^postgres: (?:.*: )?(?:startup|walwriter|checkpointer performing)\b/.test(title);
}

/** The command lines of a server's processes; undefined where they cannot be known. */
async function processesOf(pid: number): Promise<string[] | undefined> {
  try {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    const pids = children.split(' ').filter(Boolean);
    return await Promise.all(pids.map((child) => readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')));
  } catch {
    return undefined;
  }
}
