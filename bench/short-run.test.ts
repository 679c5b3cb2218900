import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { needs } from '../test/support/needs.ts';
import { figures } from './catalogue.ts';
import type { Report } from './report.ts';

// Dozens of servers start and stop, and the peers may have to be installed.
const timeoutMs = 900_000;
vi.setConfig({ testTimeout: timeoutMs });

const peerFigures = figures.filter(({ peers }) => peers).map(({ name }) => name);
const ownFigures = figures.filter(({ peers }) => !peers).map(({ name }) => name);

needs('psql', 'nginx')('every figure without peers can be measured at a small size', async () => {
  await expectMeasured(ownFigures);
});

needs('nginx', 'redis-server')('every figure with peers can be measured at a small size', async () => {
  await expectMeasured(peerFigures);
});

async function expectMeasured(names: string[]): Promise<void> {
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
    timeout: timeoutMs,
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
