import { Command } from 'commander';
import type { Client, Lane, Message, MessageState, TimelineEntry } from '../../client/client.ts';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { describeLanes } from '../describe-lanes.ts';
import { waitRows } from '../describe-waits.ts';
import { usageFailure } from '../failure.ts';
import { type AccountOptions, oneOf, wholeNumber, withAccount, withExamples } from '../flags.ts';
import { formatFields, formatTable } from '../format.ts';
import { lookedIn } from '../looked-in.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';
import { messageReplayCommand } from './message-replay.ts';

export function messageCommand(context: CommandContext): Command {
  const command = new Command('message').description('find single messages and steer them');
  command.addCommand(showCommand(context));
  command.addCommand(findCommand(context));
  command.addCommand(cancelCommand(context));
  command.addCommand(messageReplayCommand(context, describeMessage));
  command.addCommand(resolveCommand(context));
  return withExamples(command, 'message show ID', 'message find --to +31612345678');
}

function showCommand(context: CommandContext): Command {
  const command = withAccount(new Command('show'))
    .description('one message with everything that happened to it')
    .argument('<id>')
    .action(async (id: string, flags: AccountOptions) => {
      const client = connect(context, flags);
      const message = await client.messages.get(id);
      const lanes = flags.json ? [] : await lanesThatKeep(client, message);
      printResult(context, message, {
        json: flags.json,
        render: (shown, width) => [describeMessage(shown), ...lanesOf(shown, { lanes, width })].join('\n\n'),
      });
    });
  return withExamples(command, 'message show 0190c6f0-7b3a-7c11-9b0d-2f5a6c7d8001');
}

/** What is due leaves in a moment, or its lane is held up. */
const dueForMs = 5_000;

/** Where nothing but its turn keeps a message that has waited for a while: the lanes of its route. */
async function lanesThatKeep(client: Client, { route, createdAt, waitsFor }: Message): Promise<Lane[]> {
  const isDue = waitsFor?.[0]?.reason === 'turn' && Date.now() - Date.parse(createdAt) > dueForMs;
  if (!isDue) return [];
  // The message is there to be shown whatever becomes of this.
  return await allOf(client.lanes({ route })).catch(() => []);
}

function lanesOf({ route }: Message, { lanes, width }: { lanes: readonly Lane[]; width: number }): string[] {
  return lanes.length === 0 ? [] : [`What waits for route ${route}:\n${describeLanes(lanes, width)}`];
}

interface FindFlags extends AccountOptions {
  to?: string;
  ref?: string;
  state?: MessageState;
  since?: string;
  until?: string;
  limit: number;
  after?: string;
}

/** By which messages without a batch are listed. */
const listedStates: MessageState[] = ['uncertain', 'failed', 'expired', 'canceled', 'suppressed'];

function findCommand(context: CommandContext): Command {
  const command = withAccount(new Command('find'))
    .description('messages to a recipient, with your reference, or sent singly and in a state')
    .option('--to <recipient>', 'recipient, exactly')
    .option('--ref <ref>', 'your reference, exactly')
    .option('--state <state>', `sent singly, and ${listedStates.join(', ')}`, oneOf(...listedStates))
    .option('--since <time>', 'accepted at this time or later (RFC 3339)')
    .option('--until <time>', 'accepted before this time (RFC 3339)')
    .option('--limit <n>', 'messages to show', wholeNumber(1, 200), 50)
    .option('--after <id>', 'go on behind this one: the "next" of the page before')
    .action((flags: FindFlags) => find(context, flags));
  return withExamples(
    command,
    'message find --to +31612345678',
    'message find --ref order-1042 --json',
    'message find --state uncertain',
  );
}

async function find(context: CommandContext, flags: FindFlags): Promise<void> {
  const given = [flags.to, flags.ref, flags.state].filter((value) => value !== undefined);
  if (given.length !== 1) throw usageFailure('give one of --to, --ref and --state');
  const { json, url: _url, data: _data, account: _account, ...query } = flags;
  const client = connect(context, flags);
  const page = await client.messages.find(query);
  const where = await lookedIn(client, { flags, found: page.data });
  printResult(context, page, {
    json,
    render({ data, next }, width) {
      if (data.length === 0) return nothingFound(flags, where);
      const rows = data.map(({ id, createdAt, to, route, state, attempts }) => [
        id,
        createdAt,
        to,
        route,
        state,
        attempts,
      ]);
      const table = formatTable(['ID', 'ACCEPTED', 'TO', 'ROUTE', 'STATE', 'ATTEMPTS'], rows, { width });
      return next === null ? table : `${table}\nmore: --after ${next}`;
    },
  });
}

function nothingFound({ to, state }: FindFlags, where: string): string {
  if (state !== undefined)
    return `no messages that were sent singly are ${state}${where}; millrace batch list has the others`;
  const none = `no such messages${where}`;
  // The account's country may have told what was meant; then there are none indeed.
  if (to === undefined || !/^(?!00)[\d\s().-]+$/.test(to)) return none;
  return `${none}; with the code of its country a number is found anyway: --to +31612345678`;
}

function cancelCommand(context: CommandContext): Command {
  const command = withAccount(new Command('cancel'))
    .description('do not send it, if it was not sent yet')
    .argument('<id>')
    .action(async (id: string, flags: AccountOptions) => {
      const message = await connect(context, flags).messages.cancel(id);
      printResult(context, message, { json: flags.json, render: describeMessage });
    });
  return withExamples(command, 'message cancel ID');
}

function resolveCommand(context: CommandContext): Command {
  const command = withAccount(new Command('resolve'))
    .description('settle an uncertain message, as you have found out')
    .argument('<id>')
    .requiredOption('--as <state>', 'sent or failed', oneOf('sent', 'failed'))
    .action(async (id: string, flags: AccountOptions & { as: 'sent' | 'failed' }) => {
      const message = await connect(context, flags).messages.resolve(id, {
        as: flags.as,
      });
      printResult(context, message, {
        json: flags.json,
        render: (resolved) => `${describeSettled(resolved)}\n${describeMessage(resolved)}`,
      });
    });
  return withExamples(command, 'message resolve ID --as sent');
}

/** The answer does not wait for a worker that is busy for long. */
function describeSettled({ id, state }: Message): string {
  return state === 'uncertain'
    ? `not settled yet: its worker has not answered. millrace message show ${id}`
    : `settled as ${state}`;
}

function describeMessage(message: Message): string {
  const fields = formatFields([
    ['id', message.id],
    ['state', message.state],
    ...waitRows(message),
    ['to', message.to],
    ['from', message.from],
    ['test', message.test ? 'sent with a test key: nobody gets it' : undefined],
    ['route', message.route],
    ['batch', message.batchId],
    ['ref', message.ref],
    ['body', message.body],
    ['ordering key', message.orderingKey],
    ['accepted', message.createdAt],
    ['scheduled', message.scheduledAt],
    ['expires', message.expiresAt],
    ['attempts', message.attempts],
    ['provider ref', message.providerRef],
    ['error', message.error && `${message.error.code}: ${message.error.detail}`],
  ]);
  const timeline = (message.timeline ?? []).map((entry, index) => [
    entry.at,
    entry.state,
    // What was queued at first is queued again by a replay alone.
    entry.state === 'queued' && index > 0 ? 'replayed' : entry.attempt ? `attempt ${entry.attempt}` : '',
    whatBecame(entry),
  ]);
  return timeline.length === 0 ? fields : `${fields}\n\n${formatTable(['AT', 'STATE', '', ''], timeline)}`;
}

function whatBecame({ error, dueAt }: TimelineEntry): string {
  const failed = error === undefined ? [] : [`${error.code}: ${error.detail}`];
  return [...failed, ...(dueAt === undefined ? [] : [`next attempt due ${dueAt}`])].join('; ');
}
