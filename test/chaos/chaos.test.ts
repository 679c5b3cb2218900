import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { killProcesses } from '../support/start-process.ts';
import { printReport } from './print-report.ts';
import { runChaos } from './run-chaos.ts';

/** Every kind of fault once, of which four are kills; `npm run chaos` does hundreds. */
const killsMin = 4;

afterEach(killProcesses);

test('a flood under kills, suspensions and cuts loses nothing, doubles nothing held, and explains the rest', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-chaos-'));
  const report = await runChaos({ kills: killsMin, seed: 3, directory });
  expect(report.broken, printReport(report)).toEqual([]);
  expect(report.kills).toBeGreaterThanOrEqual(killsMin);
  expect(report.faults.some(({ open }) => open > 0)).toBe(true);
  await rm(directory, { recursive: true, force: true });
}, 900_000);
