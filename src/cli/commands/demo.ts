import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { wholeNumber, withExamples, withJson } from '../flags.ts';
import { printResult } from '../output.ts';

interface DemoFlags {
  messages: number;
  single?: boolean;
  json?: boolean;
}

/** What the data directory of a demonstration may grow to stays below 40 GB. */
const messagesMax = 100_000_000;

export function demoCommand(context: CommandContext): Command {
  const command = withJson(new Command('demo'))
    .description(
      'the main job end to end, on an empty data directory of its own: a flood beside ordinary customers',
    )
    .option('--messages <n>', 'size of the flood', wholeNumber(1, messagesMax), 4_000_000)
    .option('--single', 'send the flood to the provider one by one instead of 500 per request')
    .action((flags: DemoFlags) => demo(context, flags));
  withExamples(command, 'demo', 'demo --messages 100000 --single', 'demo --json > report.json');
  return command.addHelpText(
    'after',
    '\nExit status 0 only if nothing is lost and nothing duplicated. TMPDIR names where its data may lie (1 GB).',
  );
}

async function demo(
  context: CommandContext,
  { messages, single = false, json = false }: DemoFlags,
): Promise<void> {
  const [{ runDemo }, { describeReport }] = await Promise.all([
    import('../demo/run-demo.ts'),
    import('../demo/demo-report.ts'),
  ]);
  const report = await runDemo(context, { messages, single, quiet: json });
  printResult(context, report, { json, render: (result) => describeReport(result, context.terminal) });
  if (!report.ok) throw new Failure('messages were lost or duplicated, or the accounts of them differ');
}
