import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbedded } from '../../../src/embedded/start-embedded.ts';
import { killProcesses } from '../../support/start-process.ts';
import { runFuzz } from './run-fuzz.ts';

const usage = `npm run fuzz -- [--requests N] [--seed S]

  --requests N  random and mutated requests, to every call of a server in a process of its own; 100,000
  --seed S      of the chance that makes them; 1
`;

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});
const [requests, seed] = [Number(values.requests), Number(values.seed)];
if (values.help || !Number.isSafeInteger(requests) || requests < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write(usage);
  process.exitCode = values.help ? 0 : 2;
} else await main();

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-fuzz-'));
  const database = await startEmbedded({ dataDir: directory });
  try {
    const beganMs = performance.now();
    const onProgress = (line: string) => process.stderr.write(`${line}\n`);
    const report = await runFuzz({ databaseUrl: database.url, requests, seed, onProgress });
    const seconds = Math.round((performance.now() - beganMs) / 1_000);
    process.stdout.write(`${JSON.stringify({ ...report, seed, seconds }, null, 2)}\n`);
    process.exitCode = report.broken.length > 0 ? 1 : 0;
  } finally {
    killProcesses();
    await database.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
