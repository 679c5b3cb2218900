import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { withExamples, withJson } from '../flags.ts';
import { packageRoot } from '../package-root.ts';

export function benchCommand(context: CommandContext): Command {
  const command = withJson(new Command('bench'))
    .description('measure the figures that the README quotes (in a clone of the repository)')
    .argument('[name]', 'one figure; without it all of them')
    .option('--short', 'at a small size: shows that it runs, not how fast')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_name: string | undefined, _flags: unknown, self: Command) => bench(context, self));
  return withExamples(command, 'bench', 'bench accept', 'bench accept --short --json');
}

/** The figures belong to the repository, not to the package; everything behind `bench` is theirs to read. */
async function bench(context: CommandContext, self: Command): Promise<void> {
  const main = join(packageRoot, 'bench', 'main.ts');
  if (!existsSync(main) || !existsSync(join(packageRoot, 'node_modules', 'tsx'))) {
    throw new Failure('the benchmarks are not part of the installed package', {
      hint: 'Clone the repository, run npm ci there, then: npx millrace bench',
    });
  }
  const given = self.parent?.args ?? [];
  const rest = given.slice(given.indexOf('bench') + 1);
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...rest], {
    stdio: 'inherit',
    cwd: packageRoot,
  });
  // Ctrl-C reaches the whole process group; a signal to this process alone does not.
  const forward = () => child.kill('SIGTERM');
  context.signal.addEventListener('abort', forward, { once: true });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  context.signal.removeEventListener('abort', forward);
  if (status === 2) throw usageFailure('the benchmark was asked for in the wrong way');
  if (status !== 0) throw new Failure(`the benchmark ended with status ${status ?? 'none: it was killed'}`);
}
