import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const pageBytes = 4_096;
/** Linux tells times of processes in hundredths of a second, whatever its kernel counts in (proc(5), sysconf(3)). */
const ticksPerSecond = 100;

export interface ProcessEntry {
  pid: number;
  parentPid: number;
  name: string;
  residentBytes: number;
  /** What it has used itself, and its ended children that it has waited for; 0 where the system does not tell. */
  cpuSeconds: number;
}

/** A process and all that descend from it. */
export async function familyOf(rootPid: number): Promise<ProcessEntry[]> {
  const all = await listProcesses();
  const family = all.filter(({ pid }) => pid === rootPid);
  for (const member of family) family.push(...all.filter(({ parentPid }) => parentPid === member.pid));
  return family;
}

/** CPU seconds, in user mode and in the kernel, of a process and all that descended from it, ended or not. */
export async function cpuSecondsOf(rootPid: number): Promise<number> {
  return (await familyOf(rootPid)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

/** What a process's file in /proc says; undefined when it has ended, or belongs to someone else. */
export function readProc(pid: number | string, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

async function listProcesses(): Promise<ProcessEntry[]> {
  return process.platform === 'linux' ? listByProc() : await listByPs();
}

function listByProc(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = readProc(pid, 'stat');
      // The name stands in parentheses and may hold spaces and parentheses itself.
      const nameEnd = stat?.lastIndexOf(')') ?? -1;
      if (stat === undefined || nameEnd < 0) return [];
      const fields = stat.slice(nameEnd + 2).split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
      return {
        pid: Number(pid),
        parentPid: Number(fields[1]),
        name: stat.slice(stat.indexOf('(') + 1, nameEnd),
        residentBytes: Number(fields[21]) * pageBytes,
        cpuSeconds: ticks / ticksPerSecond,
      };
    });
}

async function listByPs(): Promise<ProcessEntry[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,rss=,comm=']);
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parentPid, kilobytes, command] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || command === undefined) return [];
    const name = command.slice(command.lastIndexOf('/') + 1);
    return {
      pid: Number(pid),
      parentPid: Number(parentPid),
      name,
      residentBytes: Number(kilobytes) * 1024,
      cpuSeconds: 0,
    };
  });
}
