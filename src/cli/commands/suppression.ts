import { Command } from 'commander';
import type { NewSuppression, Suppression } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { type AccountOptions, oneOf, wholeNumber, withAccount, withExamples } from '../flags.ts';
import { formatAmount, formatCount, formatFields, formatTable } from '../format.ts';
import { printNote, printResult, printWarning } from '../output.ts';
import { readSuppressionFile } from '../read-suppression-file.ts';
import { connect } from '../server-access.ts';

interface NoteFlags extends AccountOptions {
  reason?: string;
  ref?: string;
}

interface ListFlags extends AccountOptions {
  channel?: Suppression['channel'];
  to?: string;
  limit: number;
}

const listedDefault = 1_000;
/** Rejected lines that are shown one by one. */
const rejectedShown = 20;

export function suppressionCommand(context: CommandContext): Command {
  const command = new Command('suppression').description('recipients that get nothing of the account');
  command.addCommand(addCommand(context));
  command.addCommand(importCommand(context));
  command.addCommand(listCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(removeCommand(context));
  return withExamples(
    command,
    'suppression add +31612345678 --reason "asked by telephone"',
    'suppression import unsubscribed.txt',
  );
}

function addCommand(context: CommandContext): Command {
  const command = withNotes(withAccount(new Command('add')))
    .description('suppress recipients; who is suppressed already stays as they are')
    .argument('<to...>', 'telephone numbers or addresses')
    .action(async (recipients: string[], { reason, ref, ...flags }: NoteFlags) => {
      const notes = { ...(reason !== undefined && { reason }), ...(ref !== undefined && { ref }) };
      const entries = recipients.map((to) => ({ to, channel: channelOf(to), ...notes }));
      const answer = await connect(context, flags).suppressions.add(entries);
      printResult(context, answer, {
        json: flags.json,
        render: ({ added, suppressions }) =>
          `${formatAmount(added, 'recipient')} added, ${formatCount(suppressions.length - added)} were there`,
      });
      for (const { index, detail } of answer.errors) printWarning(context, `${recipients[index]}: ${detail}`);
      const refused = answer.errors.length;
      if (refused > 0) throw new Failure(`${formatAmount(refused, 'recipient')} could not be suppressed`);
    });
  return withExamples(
    command,
    'suppression add +31612345678',
    'suppression add ada@example.com --reason "unsubscribed"',
  );
}

function importCommand(context: CommandContext): Command {
  const command = withNotes(withAccount(new Command('import')))
    .description('suppress the recipients of a file; may be run again at any time')
    .argument(
      '<file>',
      'one recipient a line, or NDJSON of {"to", "channel"?, "reason"?, "ref"?}; optionally gzip',
    )
    .action((file: string, flags: NoteFlags) => importFile(context, file, flags));
  return withExamples(
    command,
    'suppression import unsubscribed.txt --reason "taken over from the old system"',
    'suppression import complaints.ndjson.gz',
  );
}

async function importFile(
  context: CommandContext,
  path: string,
  { reason, ref, ...flags }: NoteFlags,
): Promise<void> {
  const { suppressions } = connect(context, flags);
  const total = { added: 0, present: 0, rejected: 0 };
  const reject = (line: number, detail: string) => {
    if (total.rejected++ < rejectedShown) printWarning(context, `line ${line}: ${detail}`);
  };
  const notes = { ...(reason !== undefined && { reason }), ...(ref !== undefined && { ref }) };
  for await (const { lines, unreadable } of readSuppressionFile(path, context.signal)) {
    for (const { line, detail } of unreadable) reject(line, detail);
    if (lines.length === 0) continue;
    const entries = lines.map(({ entry }) => ({
      ...{ ...notes, ...entry },
      channel: entry.channel ?? channelOf(entry.to),
    })) as NewSuppression[];
    // Adding again is harmless: no key has to be kept for it.
    const answer = await suppressions.add(entries, { idempotencyKey: false }).catch(asRejected);
    for (const { index, detail } of answer.errors) reject(lines[index]!.line, detail);
    total.added += answer.added;
    total.present += entries.length - answer.errors.length - answer.added;
  }
  printResult(context, total, {
    json: flags.json,
    render: ({ added, present, rejected }) =>
      `${formatAmount(added, 'recipient')} added, ${formatCount(present)} were there` +
      (rejected === 0 ? '' : `, ${formatAmount(rejected, 'line')} rejected`),
  });
  if (total.added + total.present === 0) throw new Failure(`no line of ${path} could be taken`);
}

/** A request in which no line can be taken is refused as a whole, with the reason for each. */
function asRejected(error: unknown) {
  const { errors } = (error ?? {}) as { errors?: { index?: number; code: string; detail: string }[] };
  const isByElement =
    errors !== undefined && errors.length > 0 && errors.every(({ index }) => index !== undefined);
  if (!isByElement) throw error;
  return { added: 0, suppressions: [], errors: errors as { index: number; code: string; detail: string }[] };
}

function listCommand(context: CommandContext): Command {
  const command = withAccount(new Command('list'))
    .description('the suppressed recipients, in the order in which they were added')
    .option('--channel <channel>', 'sms or email', oneOf('sms', 'email'))
    .option('--to <recipient>', 'whether this one is among them')
    .option(
      '--limit <n>',
      `recipients at most (default: ${formatCount(listedDefault)})`,
      wholeNumber(1),
      listedDefault,
    )
    .action(async ({ channel, to, limit, ...flags }: ListFlags) => {
      const data: Suppression[] = [];
      let more = false;
      const query = {
        limit: Math.min(limit, 200),
        ...(channel && { channel }),
        ...(to !== undefined && { to }),
      };
      for await (const each of connect(context, flags).suppressions.all(query)) {
        more = data.length === limit;
        if (more) break;
        data.push(each);
      }
      printResult(context, { data }, { json: flags.json, render: (_, width) => tableOf(data, width) });
      if (more) printNote(context, `There are more than ${formatCount(limit)}: --limit shows them.`);
    });
  return withExamples(command, 'suppression list --channel sms', 'suppression list --to +31612345678');
}

function tableOf(suppressions: readonly Suppression[], width: number): string {
  return formatTable(
    ['CHANNEL', 'TO', 'SINCE', 'REASON', 'REF'],
    suppressions.map(({ channel, to, createdAt, reason, ref }) => [
      ...[channel, to ?? '(erased)', createdAt, reason ?? '', ref ?? ''],
    ]),
    { width },
  );
}

function showCommand(context: CommandContext): Command {
  const command = withAccount(new Command('show'))
    .description('one suppressed recipient')
    .argument('<to>', 'the number or address, or the id')
    .action(async (to: string, flags: AccountOptions) => {
      const found = await connect(context, flags).suppressions.get(to);
      printResult(context, found, {
        json: flags.json,
        render: (value) => formatFields(Object.entries(value) as [string, string | null][]),
      });
    });
  return withExamples(command, 'suppression show +31612345678');
}

function removeCommand(context: CommandContext): Command {
  const command = withAccount(new Command('remove'))
    .description('let a recipient get messages again')
    .argument('<to>', 'the number or address, or the id')
    .action(async (to: string, flags: AccountOptions) => {
      await connect(context, flags).suppressions.remove(to);
      printResult(
        context,
        { removed: to },
        { json: flags.json, render: () => `${to} is not suppressed any more` },
      );
    });
  return withExamples(command, 'suppression remove +31612345678');
}

function withNotes(command: Command): Command {
  return command.option('--reason <text>', 'why, for people').option('--ref <text>', 'your own reference');
}

/** The form tells it; what is neither is for the server to refuse. */
function channelOf(to: string): NewSuppression['channel'] {
  if (to === '') throw usageFailure('a recipient is empty');
  return to.includes('@') ? 'email' : 'sms';
}
