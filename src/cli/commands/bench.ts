import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { withExamples, withJson } from '../flags.ts';
import { runInClone } from '../run-in-clone.ts';

export function benchCommand(context: CommandContext): Command {
  const command = withJson(new Command('bench'))
    .description('measure the figures that the README quotes (in a clone of the repository)')
    .argument('[name]', 'one figure; without it all of them')
    .option('--short', 'at a small size: shows that it runs, not how fast')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_name: string | undefined, _flags: unknown, self: Command) =>
      runInClone(context, self, { folder: 'bench', what: 'the benchmark' }),
    );
  return withExamples(command, 'bench', 'bench accept', 'bench accept --short --json');
}
