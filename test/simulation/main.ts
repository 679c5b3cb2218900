import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Violation } from './checker.ts';
import { plants } from './plants.ts';
import type { RangeReport } from './run-range.ts';
import { simulateSeed } from './simulate-seed.ts';

const usage = `npm run simulate -- [--seeds N] [--from S] [--seed S] [--plant NAME] [--processes N]

  --seeds N      how many seeds; 100,000
  --from S       the first of them; 1
  --seed S       one seed, with everything that happens in it
  --plant NAME   a fault put in on purpose: ${Object.keys(plants).join(', ')}
  --processes N  processes that share the seeds; 2`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    plant: { type: 'string' },
    processes: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
});
const { plant } = values;
if (values.help) console.log(usage);
else if (plant !== undefined && !(plant in plants)) fail(`there is no plant ${plant}\n\n${usage}`);
else if (values.seed !== undefined) await showSeed(whole('seed', values.seed));
else await runSeeds();

/** Everything that happens in one seed, and twice, to show that it happens again. */
async function showSeed(seed: number): Promise<void> {
  const planted = { plant: plants[plant ?? ''] ?? {} };
  const first = await simulateSeed(seed, { ...planted, keepLines: true });
  const again = await simulateSeed(seed, planted);
  for (const line of first.lines) console.log(line);
  report(seed, first.violations);
  console.log(`trace ${first.trace}, again ${again.trace}; ${first.events} events`);
  if (first.trace !== again.trace) fail('the seed does not replay');
}

async function runSeeds(): Promise<void> {
  const [seeds, from] = [whole('seeds', values.seeds), whole('from', values.from)];
  const processes = Math.min(whole('processes', values.processes), seeds);
  const beganMs = performance.now();
  const reports = await Promise.all(
    Array.from({ length: processes }, (_, index) =>
      runRange({ first: from + index, step: processes, last: from + seeds - 1 }),
    ),
  );
  const failures = reports.flatMap((each) => each.failures).sort((a, b) => a.seed - b.seed);
  const sum = (of: (each: RangeReport) => number) => reports.reduce((total, each) => total + of(each), 0);
  for (const { seed, violations } of failures.slice(0, 20)) report(seed, violations);
  const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
  const hours = (sum((each) => each.simulatedMs) / 3_600_000).toFixed(0);
  console.log(
    `${seeds} seeds${plant ? ` with ${plant}` : ''} in ${seconds} s: ${sum((each) => each.messages)} messages, ` +
      `${sum((each) => each.events)} events, ${hours} simulated hours; ${failures.length} seeds broke a promise`,
  );
  const first = failures[0]?.seed;
  if (plant !== undefined) {
    if (first === undefined) fail(`${plant} was not found`);
    else console.log(`${plant} was found first by seed ${first}, after ${first - from + 1}`);
  } else if (first !== undefined) fail(`replay with: npm run simulate -- --seed ${first}`);
}

function runRange(range: { first: number; step: number; last: number }): Promise<RangeReport> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL(`run-range${extname(import.meta.url)}`, import.meta.url)), [
      ...[range.first, range.step, range.last].map(String),
      plant ?? '',
    ]);
    child.once('message', (message) => resolve(message as RangeReport));
    child.once('exit', (code, signal) =>
      reject(new Error(`a process of seeds ended early (${signal ?? code})`)),
    );
  });
}

function report(seed: number, violations: readonly Violation[]): void {
  for (const { promise, detail } of violations.slice(0, 5))
    console.log(`seed ${seed} breaks "${promise}": ${detail}`);
}

function whole(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    fail(`--${name} takes a whole number from 1, not ${text}`);
    process.exit();
  }
  return number;
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
