import { Command } from 'commander';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { describeLanes } from '../describe-lanes.ts';
import { type AccountOptions, withAnyAccount, withExamples } from '../flags.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

export function lanesCommand(context: CommandContext): Command {
  const command = withAnyAccount(new Command('lanes'))
    .description('what waits and how it flows, by route, account and priority')
    .option('--route <name>', 'the lanes of this route alone')
    .action(async ({ route, ...flags }: AccountOptions & { route?: string }) => {
      const lanes = await allOf(connect(context, flags).lanes(route === undefined ? {} : { route }));
      printResult(
        context,
        { data: lanes },
        { json: flags.json, render: ({ data }, width) => describeLanes(data, width) },
      );
    });
  return withExamples(command, 'lanes', 'lanes --route sms --json');
}
