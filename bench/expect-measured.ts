import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { figures } from './catalogue.ts';
import type { Report } from './report.ts';

/** Dozens of servers start and stop, and the peers may have to be installed. */
export const measuringMs = 900_000;

/** What takes minutes to try. `npm test` holds most of it by other tests of the same thing; `npm run test:long` tries all. */
const slow = new Set([
  'accept-peers',
  'deliver-single',
  'templates',
  'suppressions',
  'deliver-webhook',
  'deliver-peers',
  'deliver-batch',
  'ordinary-day',
  'memory',
  'reads',
  'search',
  'keys',
  'old-transaction',
  'fairness',
  'lanes',
  'backlog',
  'steering',
  'handover',
  'receipts',
  'callbacks',
  'statistics',
  'events-database',
  'replica-lag',
]);

/** Names of the figures that are measured together. */
export function namesOf(kind: 'quick' | 'slow'): string[] {
  return figures.map(({ name }) => name).filter((name) => slow.has(name) === (kind === 'slow'));
}

/** Measures figures at their small size, and expects a value of each of their measurements. */
export async function expectMeasured(names: string[]): Promise<void> {
  const report = await shortRun(names);
  expect(report.failures).toEqual([]);
  expect(report.figures.map(({ name }) => name)).toEqual(names);
  for (const { name, measurements } of report.figures) {
    for (const measurement of measurements) {
      for (const value of measurement.values)
        expect(value, `${name}: ${measurement.name}`).toBeGreaterThan(0);
    }
  }
}

async function shortRun(names: string[]): Promise<Report> {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...names, '--short', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: measuringMs,
  });
  let output = '';
  let progress = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    progress += chunk;
  });
  await once(child, 'close');
  if (output === '') throw new Error(`the bench reported nothing:\n${progress}`);
  return JSON.parse(output) as Report;
}
