import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbedded } from '../../src/embedded/start-embedded.ts';
import { runCommand } from '../support/run-command.ts';
import { killProcesses } from '../support/start-process.ts';
import { type RollingReport, runRolling } from './run-rolling.ts';

const usage = `npm run rolling [-- --rounds N --json]

Four servers behind HAProxy under a flood: each is restarted in turn, one is added and removed, N times (5). Exit status
0 only when no request failed, nothing was lost or doubled, no shard had two owners, and of the single messages, sent at a
fixed pace, 99 of 100 arrived within a second of being due.
`;

const waitMaxMs = 1_000;

// Whatever is running then is ended on the way out; the database ends with its parent.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
process.once('exit', killProcesses);

await runCommand({ name: 'rolling', usage, readOptions, run });

function readOptions(): { rounds: number; json: boolean } | undefined {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
  });
  const rounds = Number(values.rounds);
  return Number.isInteger(rounds) && rounds > 0 ? { rounds, json: values.json } : undefined;
}

async function run(options: { rounds: number; json: boolean }, directory: string): Promise<boolean> {
  const database = await startEmbedded({ dataDir: join(directory, 'database') });
  try {
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    const report = await runRolling({ databaseUrl: database.url, directory, rounds: options.rounds, say });
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : print(report));
    return holds(report);
  } finally {
    killProcesses();
    await database.stop();
  }
}

function holds(report: RollingReport): boolean {
  const { accepted, received, distinct, failures, ownedTwice, statuses, waitsMs } = report;
  const isWhole = received === accepted && distinct === accepted;
  return (
    isWhole &&
    waitsMs.p99 < waitMaxMs &&
    failures.length === 0 &&
    ownedTwice.length === 0 &&
    statuses.every((each) => each === 0)
  );
}

function print(report: RollingReport): string {
  const { waitsMs, gapsMs, moves } = report;
  const ms = (value: number) => `${Math.round(value)} ms`;
  const lines = [
    `accepted ${report.accepted}, failed ${report.failures.length}, delivered ${report.distinct}, doubled ${report.received - report.distinct}`,
    `stops ${report.statuses.length}, moves of shards ${moves.made} of ${moves.needed} that were needed, owned twice ${report.ownedTwice.length}`,
    `from being due to arrival: median ${ms(waitsMs.median)}, p99 ${ms(waitsMs.p99)}, longest ${ms(waitsMs.longest)}`,
    `between two arrivals: p99 ${ms(gapsMs.p99)}, longest ${ms(gapsMs.longest)}`,
    ...report.failures.slice(0, 10),
    ...report.ownedTwice.slice(0, 10),
  ];
  return `${lines.join('\n')}\n`;
}
