import { Command } from 'commander';
import type { BatchError } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { type AccountOptions, withAccount, withExamples } from '../flags.ts';
import { formatTable } from '../format.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

export function batchErrorsCommand(context: CommandContext): Command {
  const command = withAccount(new Command('errors'))
    .description('the errors that messages of a batch met, by code, with an example of each')
    .argument('<id>')
    .action(async (id: string, flags: AccountOptions) => {
      const errors = await connect(context, flags).batches.errors(id);
      printResult(context, errors, {
        json: flags.json,
        render: ({ data }, width) => describeErrors(data, width),
      });
    });
  return withExamples(
    command,
    'batch errors ID',
    'batch replay ID --state failed --error-code provider_timeout',
  );
}

function describeErrors(errors: readonly BatchError[], width: number): string {
  if (errors.length === 0) return 'no errors';
  return formatTable(
    ['CODE', 'STATE', 'MESSAGES', 'LAST', 'EXAMPLE', 'DETAIL'],
    errors.map(({ code, state, messages, lastAt, example }) => [
      code,
      state,
      messages,
      lastAt,
      example.id,
      example.detail ?? '',
    ]),
    { width },
  );
}
