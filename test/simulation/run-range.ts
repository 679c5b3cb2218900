import type { Violation } from './checker.ts';
import { plants } from './plants.ts';
import { simulateSeed } from './simulate-seed.ts';

/** What a process that runs a part of the seeds tells its parent, once. */
export interface RangeReport {
  failures: { seed: number; violations: Violation[] }[];
  messages: number;
  events: number;
  simulatedMs: number;
}

/** Failures that are kept; more of them say nothing new. */
const failuresMax = 1_000;

// An error of a simulated connection is made thousands of times, and nobody reads where.
Error.stackTraceLimit = 0;
const [first = 1, step = 1, last = 0] = process.argv.slice(2, 5).map(Number);
const plant = plants[process.argv[5] ?? ''] ?? {};
const report: RangeReport = { failures: [], messages: 0, events: 0, simulatedMs: 0 };
for (let seed = first; seed <= last; seed += step) {
  const { violations, messages, events, simulatedMs } = await simulateSeed(seed, { plant });
  report.messages += messages;
  report.events += events;
  report.simulatedMs += simulatedMs;
  if (violations.length > 0 && report.failures.length < failuresMax)
    report.failures.push({ seed, violations });
}
process.send?.(report);
process.disconnect?.();
