import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { ApiError } from '../../client/client.ts';
import { fileFault } from '../../lib/file-fault.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { type AccountOptions, withAccount, withExamples } from '../flags.ts';
import { printNote, printResult } from '../output.ts';
import { connect } from '../server-access.ts';

export function signingKeyCommand(context: CommandContext): Command {
  const command = new Command('signing-key').description(
    'what status reports to the reportUrl of messages are signed with',
  );
  command.addCommand(showCommand(context));
  command.addCommand(setCommand(context));
  return withExamples(command, 'signing-key show', 'signing-key set signing.key');
}

function showCommand(context: CommandContext): Command {
  const command = withAccount(new Command('show'))
    .description('the last characters of the key, and since when it is used')
    .action(async (flags: AccountOptions) => {
      const signingKey = await connect(context, flags).signingKey.get().catch(explainNone);
      printResult(context, signingKey, {
        json: flags.json,
        render: ({ hint, changedAt }) => `${hint} since ${changedAt}`,
      });
    });
  return withExamples(command, 'signing-key show');
}

function explainNone(error: unknown): never {
  if (!(error instanceof ApiError && error.problem.code === 'not_found')) throw error;
  throw new Failure('the account has no signing key yet', {
    hint: 'Make one, or use one that receivers have already: millrace signing-key set [file]',
  });
}

function setCommand(context: CommandContext): Command {
  const command = withAccount(new Command('set'))
    .description('use the key in a file, or a new one, which is shown this once')
    .argument('[file]', 'holds the key that receivers have already')
    .action(async (file: string | undefined, flags: AccountOptions) => {
      const given = file === undefined ? {} : { key: await readKey(file) };
      const signingKey = await connect(context, flags).signingKey.put(given);
      if (file !== undefined) {
        const { hint, changedAt } = signingKey;
        printResult(context, { hint, changedAt }, { json: flags.json, render: () => `${hint} is used now` });
        return;
      }
      if (signingKey.key === undefined) {
        throw new Failure('there is a new key, but the answer that showed it was lost on the way', {
          hint: 'Make another one: millrace signing-key set',
        });
      }
      // The key alone goes to standard output, so that a script can catch it.
      if (!flags.json) printNote(context, 'the new signing key; it is not shown again:');
      printResult(context, signingKey, { json: flags.json, render: ({ key }) => key ?? '' });
    });
  return withExamples(command, 'signing-key set', 'signing-key set signing.key');
}

async function readKey(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${fileFault(error)}`);
  }
}
