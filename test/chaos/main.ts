import { parseArgs } from 'node:util';
import { runCommand } from '../support/run-command.ts';
import { killProcesses } from '../support/start-process.ts';
import { printReport } from './print-report.ts';
import { runChaos } from './run-chaos.ts';

const usage = `npm run chaos [-- --kills N --seed N --json --keep]

Separate processes, a flood through two routes, and N random kills (200) of workers, the API and PostgreSQL, beside
suspensions and cut connections. Ends with the books; exit status 0 only when every promise held.
--keep leaves the directory with the database and the logs of the processes.
`;

await runCommand({
  name: 'chaos',
  usage,
  readOptions,
  run,
  keeps: ({ keep }, held) => keep || !held,
});

interface Options {
  kills: number;
  seed: number;
  json: boolean;
  keep: boolean;
}

function readOptions(): Options | undefined {
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
}

async function run({ kills, seed, json }: Options, directory: string): Promise<boolean> {
  try {
    const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
    const report = await runChaos({ kills, seed, directory, onProgress });
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : printReport(report));
    return report.broken.length === 0;
  } finally {
    killProcesses();
  }
}
