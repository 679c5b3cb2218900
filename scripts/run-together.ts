import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/**
 * `tsx scripts/run-together.ts STEP…` runs npm scripts of this package as many at a time as there are cores, those that
 * are named first begun first, shows what each said when it has ended, and fails when one of them failed.
 */
async function runTogether(steps: readonly string[]): Promise<void> {
  const left = [...steps];
  const lane = async () => {
    for (let step = left.shift(); step !== undefined; step = left.shift()) await run(step);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
}

async function run(step: string): Promise<void> {
  const child = spawn('npm', ['run', '--silent', step], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => said.push(bytes));
  const [status] = (await once(child, 'close')) as [number | null];
  process.stdout.write(`> ${step}\n`);
  process.stdout.write(Buffer.concat(said));
  if (status === 0) return;
  console.error(`npm run ${step} ended with ${status}`);
  process.exitCode = 1;
}

const steps = process.argv.slice(2);
if (steps.length === 0) throw new Error('name the npm scripts to run');
await runTogether(steps);
