import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tools } from './requirements.ts';
import { runCommand } from './run-command.ts';

/** Laboratories at once on one machine: each has names and a range of addresses of its own. */
const slotsMax = 4;
const firstThirdOctet = 90;

/** A laboratory's own names, addresses and directory, which no other run has. */
export interface Claim {
  /** Begins the name of each namespace and link; with what follows it stays below the 15 characters of a link. */
  prefix: string;
  /** `10.78.90`: the first three parts of each address. */
  network: string;
  directory: string;
  /** Removes what is left of the run; the directory too unless it is kept. */
  release(options: { keepDirectory: boolean }): Promise<void>;
}

/**
 * Takes the first free slot, and clears away what runs left that were killed. The lock is an abstract socket: it goes
 * with its process, however that ends, and is as local to a network namespace as the links that it guards.
 */
export async function claimSlot(tools: Tools): Promise<Claim> {
  let claimed: { slot: number; lock: Server } | undefined;
  for (let slot = 0; slot < slotsMax; slot++) {
    const lock = await tryLock(slot);
    if (!lock) continue;
    await clearSlot(tools, slot);
    if (claimed) await unlock(lock);
    else claimed = { slot, lock };
  }
  if (!claimed) throw new Error(`${slotsMax} laboratories are running on this machine: wait for one to end`);
  const { slot, lock } = claimed;
  const directory = mkdtempSync(join(tmpdir(), 'millrace-lab-'));
  // The database runs as another user, who has to pass.
  await chmod(directory, 0o711);
  writeFileSync(recordOf(slot), directory, { mode: 0o600 });
  return {
    prefix: prefixOf(slot),
    network: `10.78.${firstThirdOctet + slot}`,
    directory,
    async release({ keepDirectory }) {
      if (keepDirectory) rmSync(recordOf(slot), { force: true });
      await clearSlot(tools, slot);
      await unlock(lock);
    },
  };
}

function prefixOf(slot: number): string {
  return `mrlab${slot}-`;
}

/** Where a slot's directory is written down, for the run after one that was killed. */
function recordOf(slot: number): string {
  return `/run/millrace-lab-${slot}`;
}

async function tryLock(slot: number): Promise<Server | undefined> {
  const lock = createServer();
  lock.unref();
  return await new Promise((resolve, reject) => {
    lock.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    lock.listen(`\0millrace-lab-${slot}`, () => resolve(lock));
  });
}

function unlock(lock: Server): Promise<void> {
  return new Promise((resolve) => lock.close(() => resolve()));
}

/** Ends the processes in the slot's namespaces, each by its pid, and removes namespaces, links and files. */
async function clearSlot({ programs: { ip } }: Tools, slot: number): Promise<void> {
  const prefix = prefixOf(slot);
  for (const namespace of await names(ip, ['netns', 'list'], /^(\S+)/, prefix)) {
    const pids = (await runCommand(ip, ['netns', 'pids', namespace])).split('\n').filter(Boolean);
    for (const pid of pids) kill(Number(pid));
    await runCommand(ip, ['netns', 'del', namespace]);
    rmSync(join('/etc/netns', namespace), { recursive: true, force: true });
  }
  for (const link of await names(ip, ['-o', 'link'], /^\d+: ([^:@]+)/, prefix)) {
    // The other end of a pair goes with the first one.
    await runCommand(ip, ['link', 'del', link]).catch(() => {});
  }
  let directory: string;
  try {
    directory = readFileSync(recordOf(slot), 'utf8');
  } catch {
    return;
  }
  if (directory.startsWith(join(tmpdir(), 'millrace-lab-'))) {
    // Processes that were killed a moment ago may still be letting go of their files.
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
  rmSync(recordOf(slot), { force: true });
}

async function names(ip: string, args: string[], pattern: RegExp, prefix: string): Promise<string[]> {
  const lines = (await runCommand(ip, args)).split('\n');
  return lines.map((line) => pattern.exec(line)?.[1] ?? '').filter((name) => name.startsWith(prefix));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
