import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from './machine.ts';

const periodUs = 100_000;
const quotaUs = 5_000;
const loopsPerCore = 8;
const cgroupRoot = '/sys/fs/cgroup/cpu';
const removeTries = 50;

/** Leaves a machine little of the processor, until it is lifted. */
export async function limitProcessor(machine: Machine): Promise<{ how: string; lift(): Promise<void> }> {
  const group = ownGroup();
  if (group === undefined) return crowd(machine);
  const directory = join(group, `millrace-lab-${process.pid}-${machine.name}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'cpu.cfs_period_us'), String(periodUs));
  writeFileSync(join(directory, 'cpu.cfs_quota_us'), String(quotaUs));
  await move(machine, directory);
  return {
    how: `all of its processes together have ${(quotaUs / periodUs) * 100} % of a core`,
    async lift() {
      writeFileSync(join(directory, 'cpu.cfs_quota_us'), '-1');
      for (let tries = 0; tries < removeTries; tries++) {
        await move(machine, group);
        if (remove(directory)) return;
        await sleep(20);
      }
    },
  };
}

/** The control group of this process where quotas can be set; version 1, as 2 takes none below a group that is in use. */
function ownGroup(): string | undefined {
  const line = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'));
  const group = line && join(cgroupRoot, line[1]!);
  return group && existsSync(join(group, 'cpu.cfs_quota_us')) ? group : undefined;
}

/** What they start meanwhile is in the group of its parent: moved again, they all are. */
async function move(machine: Machine, directory: string): Promise<void> {
  for (const pid of await machine.pids()) {
    try {
      writeFileSync(join(directory, 'cgroup.procs'), String(pid));
    } catch {
      // It has ended meanwhile.
    }
  }
}

function remove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

/** Where no group can be made, the machine's own loops take the processor, from all others here as well. */
function crowd(machine: Machine): { how: string; lift(): Promise<void> } {
  const names = Array.from({ length: availableParallelism() * loopsPerCore }, (_, n) => `loop-${n}`);
  for (const name of names) machine.start(name, { command: 'sh', args: ['-c', 'while :; do :; done'] });
  return {
    how: `${names.length} loops beside it take this machine’s processor`,
    async lift() {
      for (const name of names) await machine.kill(name);
    },
  };
}
