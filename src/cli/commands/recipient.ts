import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { withFieldNames } from '../field-names.ts';
import { type ServerOptions, withExamples, withServer } from '../flags.ts';
import { formatCount } from '../format.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

interface EraseFlags extends ServerOptions {
  to: string;
  account?: string;
}

/** Each call works for some 20 s: so many are hours, and more than a recipient has. */
const callsMax = 1_000;
/** Calls in a row that erased nothing and were not complete: nobody answers for what is on its way. */
const idleCallsMax = 3;

export function recipientCommand(context: CommandContext): Command {
  const erase = withServer(new Command('erase'))
    .description('erase what is kept of one person, for good; what was not sent yet is canceled')
    .requiredOption('--to <recipient>', 'telephone number, address or URL')
    .option('--account <id>', 'whose messages; needs an administrator key (default: the account of the key)')
    .action((flags: EraseFlags) => eraseRecipient(context, flags));
  withFieldNames(erase, { accountId: 'account' });
  const command = new Command('recipient').description('what is kept of one person');
  command.addCommand(withExamples(erase, 'recipient erase --to +31612345678'));
  return withExamples(command, 'recipient erase --to +31612345678');
}

async function eraseRecipient(context: CommandContext, flags: EraseFlags): Promise<void> {
  const { to, account: accountId, ...server } = flags;
  const { recipients } = connect(context, server);
  const total = { messages: 0, answers: 0, complete: false };
  for (let call = 0, idle = 0; call < callsMax && idle < idleCallsMax && !total.complete; call++) {
    const erased = await recipients.erase({ to, ...(accountId !== undefined && { accountId }) });
    total.messages += erased.messages;
    total.answers += erased.answers;
    total.complete = erased.complete;
    idle = erased.messages === 0 ? idle + 1 : 0;
  }
  if (!total.complete) {
    throw new Failure(`erased ${formatCount(total.messages)} messages, and not all is settled`, {
      hint: 'Is a server with the role deliver running? Run the command again.',
    });
  }
  printResult(context, total, {
    json: flags.json,
    render: ({ messages, answers }) =>
      `erased ${formatCount(messages)} messages and ${formatCount(answers)} stored answers`,
  });
}
