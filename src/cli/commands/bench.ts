import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { withExamples, withJson } from '../flags.ts';
import { runInClone } from '../run-in-clone.ts';

/** The benchmark belongs to the repository; what is told here is held against it by a test. */
const figures = `
Figures:
  accept accept-peers deliver-single deliver-webhook deliver-peers deliver-batch storage templates suppressions replica-lag
  ordinary-day memory reads search keys old-transaction fairness lanes backlog steering handover receipts callbacks
  statistics events-database watched

All of them take long: one leaves a transaction idle for 15 minutes, another queues 20,000,000 messages. The report stays in
bench/results/ of the clone, as JSON and as Markdown; bench/README.md tells what each measures, and against what.

Exit status: 0 when every figure could be measured, 1 when not, 2 for wrong usage.`;

export function benchCommand(context: CommandContext): Command {
  const command = withJson(new Command('bench'))
    .description('measure the figures that the README quotes (in a clone of the repository)')
    .argument('[name...]', 'which figures; without one all of them')
    .option('--short', 'at a small size: shows that it runs, not how fast')
    .option('--runs <n>', 'repetitions where two sides take turns (default: 3; short: 1)')
    .option('--messages <n>', 'size of the flood (default: 4000000; short: 20000)')
    .option(
      '--database <url>',
      'PostgreSQL 15 or newer to measure on, as a superuser, instead of one of its own',
    )
    .allowUnknownOption()
    .action((_names: string[], _flags: unknown, self: Command) =>
      runInClone(context, self, { folder: 'bench', what: 'the benchmark' }),
    );
  withExamples(command, 'bench', 'bench accept storage', 'bench accept --short --json');
  return command.addHelpText('after', figures);
}
