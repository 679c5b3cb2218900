import { familyOf, readProc } from './processes.ts';

const sampleEveryMs = 200;

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
      const family = (await familyOf(rootPid)).filter(({ name }) => !name.startsWith('postgres'));
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

function proportional(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(readProc(pid, 'smaps_rollup') ?? '')?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
