import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killProcesses } from '../support/start-process.ts';
import { printReport } from './print-report.ts';
import { runChaos } from './run-chaos.ts';

const usage = `npm run chaos [-- --kills N --seed N --json --keep]

Separate processes, a flood through two routes, and N random kills (200) of workers, the API and PostgreSQL, beside
suspensions and cut connections. Ends with the books; exit status 0 only when every promise held.
--keep leaves the directory with the database and the logs of the processes.
`;

await main();

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), 'millrace-chaos-'));
  let held = false;
  try {
    const report = await runChaos({
      ...options,
      directory,
      onProgress: (line) => process.stderr.write(`${line}\n`),
    });
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : printReport(report));
    held = report.broken.length === 0;
  } finally {
    killProcesses();
    if (held && !options.keep) await rm(directory, { recursive: true, force: true });
    else process.stderr.write(`The database and the logs are in ${directory}\n`);
  }
  process.exitCode = held ? 0 : 1;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        kills: { type: 'string', default: '200' },
        seed: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
      },
    });
    const [kills, seed] = [Number(values.kills), Number(values.seed)];
    if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) return undefined;
    return { kills, seed, json: values.json, keep: values.keep };
  } catch {
    return undefined;
  }
}
