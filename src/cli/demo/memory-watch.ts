import { readFileSync } from 'node:fs';

export interface MemoryWatch {
  /** Highest sum seen, in bytes; undefined where the system does not tell. */
  peakBytes(): number | undefined;
  stop(): void;
}

const sampleMs = 500;

/**
 * Resident memory of a server and the processes it started, PostgreSQL apart. Shared pages count in each process
 * that has them. Reads /proc; other systems do not tell this without starting a program each time.
 */
export function watchMemory(pid: number): MemoryWatch {
  let peak = 0;
  const sample = () => {
    peak = Math.max(peak, residentBytes(pid));
  };
  sample();
  const timer = setInterval(sample, sampleMs);
  timer.unref();
  return {
    peakBytes: () => (peak === 0 ? undefined : peak),
    stop: () => clearInterval(timer),
  };
}

function residentBytes(pid: number): number {
  const status = readProc(`/proc/${pid}/status`);
  if (status === undefined || /^Name:\s*postgres$/m.test(status)) return 0;
  const own = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
  const children = readProc(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ') ?? [];
  return children
    .filter((child) => child !== '')
    .reduce((sum, child) => sum + residentBytes(Number(child)), own);
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
