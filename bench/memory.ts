import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const sampleEveryMs = 200;
const pageBytes = 4_096;

export interface MemorySampler {
  /** Ends the sampling; the peaks of the sums over all processes, in bytes. */
  stop(): Promise<MemoryPeak>;
}

export interface MemoryPeak {
  residentBytes: number;
  /** Pages that several processes share counted once; 0 where the system does not tell. */
  proportionalBytes: number;
  samples: number;
}

/** Watches a process and all that descend from it, but for PostgreSQL's, five times a second. */
export function sampleMemory(rootPid: number): MemorySampler {
  const peak: MemoryPeak = { residentBytes: 0, proportionalBytes: 0, samples: 0 };
  let ended = false;
  const sampling = (async () => {
    while (!ended) {
      const family = descendants(rootPid, await listProcesses()).filter(
        ({ name }) => !name.startsWith('postgres'),
      );
      peak.residentBytes = Math.max(
        peak.residentBytes,
        sum(family.map(({ residentBytes }) => residentBytes)),
      );
      peak.proportionalBytes = Math.max(
        peak.proportionalBytes,
        sum(family.map(({ pid }) => proportional(pid))),
      );
      peak.samples++;
      await new Promise((resolve) => setTimeout(resolve, sampleEveryMs));
    }
  })();
  return {
    async stop() {
      ended = true;
      await sampling;
      return peak;
    },
  };
}

interface ProcessEntry {
  pid: number;
  parentPid: number;
  name: string;
  residentBytes: number;
}

async function listProcesses(): Promise<ProcessEntry[]> {
  return process.platform === 'linux' ? listByProc() : await listByPs();
}

function listByProc(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = readIfThere(`/proc/${pid}/stat`);
      // The name stands in parentheses and may hold spaces and parentheses itself.
      const nameEnd = stat?.lastIndexOf(')') ?? -1;
      if (stat === undefined || nameEnd < 0) return [];
      const fields = stat.slice(nameEnd + 2).split(' ');
      return {
        pid: Number(pid),
        parentPid: Number(fields[1]),
        name: stat.slice(stat.indexOf('(') + 1, nameEnd),
        residentBytes: Number(fields[21]) * pageBytes,
      };
    });
}

async function listByPs(): Promise<ProcessEntry[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,rss=,comm=']);
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parentPid, kilobytes, command] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    if (pid === undefined || command === undefined) return [];
    const name = command.slice(command.lastIndexOf('/') + 1);
    return { pid: Number(pid), parentPid: Number(parentPid), name, residentBytes: Number(kilobytes) * 1024 };
  });
}

function descendants(rootPid: number, all: ProcessEntry[]): ProcessEntry[] {
  const family = all.filter(({ pid }) => pid === rootPid);
  for (const member of family) family.push(...all.filter(({ parentPid }) => parentPid === member.pid));
  return family;
}

function proportional(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(readIfThere(`/proc/${pid}/smaps_rollup`) ?? '')?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It ended between the listing and the reading, or belongs to someone else.
    return undefined;
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
