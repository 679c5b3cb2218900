import { Command } from 'commander';
import { ApiError, type Client, type Message, type MessageState } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../failure.ts';
import { type AccountOptions, oneOf, withAccount, withExamples } from '../flags.ts';
import { formatAmount } from '../format.ts';
import { lookedIn } from '../looked-in.ts';
import { printNote, printResult } from '../output.ts';
import { connect } from '../server-access.ts';

/** Each answer waits until the owner of the message has looked, four times a second. */
const atOnce = 64;
const pageMax = 200;
const noteEveryMs = 5_000;

/** The route of what webhooks are told: that is not meant where messages are, unless it is named. */
const callbackRoute = 'callbacks';

const states: MessageState[] = ['failed', 'expired', 'canceled', 'uncertain'];

interface Flags extends AccountOptions {
  state?: MessageState;
  errorCode?: string;
  route?: string;
  since?: string;
  until?: string;
}

/** One message by its id, or all of those sent singly that a filter names: batches have a replay of their own. */
export function messageReplayCommand(
  context: CommandContext,
  describe: (message: Message) => string,
): Command {
  const command = withAccount(new Command('replay'))
    .description('try it again after it ended badly, or all those sent singly that did')
    .argument('[id]')
    .option(
      '--state <state>',
      `in the place of an id, all in this state: ${states.join(', ')}`,
      oneOf(...states),
    )
    .option('--error-code <code>', 'of these, only those that failed with this code')
    .option(
      '--route <name>',
      `of these, only those of this route; webhooks are told again with ${callbackRoute} alone`,
    )
    .option('--since <time>', 'of these, only those accepted at this time or later (RFC 3339)')
    .option('--until <time>', 'of these, only those accepted before this time (RFC 3339)')
    .action(async (id: string | undefined, flags: Flags) => {
      const { state, errorCode, route, since, until } = flags;
      const client = connect(context, flags, { connectionsMax: atOnce });
      if (id !== undefined) {
        if ([state, errorCode, route, since, until].some((flag) => flag !== undefined))
          throw usageFailure('give an id, or --state with what narrows it down');
        const message = await client.messages.replay(id);
        printResult(context, message, { json: flags.json, render: describe });
        return;
      }
      if (state === undefined) throw usageFailure('give the id of a message, or --state');
      const note = (text: string) => {
        if (!flags.json) printNote(context, text);
      };
      const told = await replayAll(client, { ...flags, state }, note);
      const where = told.replayed > 0 ? '' : await lookedIn(client, { flags, found: [] });
      printResult(context, told, { json: flags.json, render: (all) => describeReplayed(all) + where });
    });
  return withExamples(
    command,
    'message replay ID',
    'message replay --state failed --error-code credentials_refused --since 2026-11-30T08:00:00Z',
  );
}

interface Replayed {
  replayed: number;
  /** They left the state before their turn came. */
  changed: number;
}

function describeReplayed({ replayed, changed }: Replayed): string {
  const others = changed === 0 ? '' : `; ${formatAmount(changed, 'other')} had left the state meanwhile`;
  return `${formatAmount(replayed, 'message')} replayed${others}`;
}

async function replayAll(
  client: Client,
  { state, errorCode, route, since, until }: Flags & { state: MessageState },
  note: (text: string) => void,
): Promise<Replayed> {
  const told = { replayed: 0, changed: 0 };
  const query = { state, limit: pageMax, ...(since && { since }), ...(until && { until }) };
  const isWanted = (message: Message) =>
    !message.erased &&
    (errorCode === undefined || message.error?.code === errorCode) &&
    (route === undefined ? message.route !== callbackRoute : message.route === route);
  let notedMs = performance.now();
  try {
    for await (const group of groupsOf(client.messages.all(query), atOnce)) {
      await Promise.all(
        group.filter(isWanted).map(async ({ id }) => {
          if (await replayOne(client, id)) told.replayed++;
          else told.changed++;
        }),
      );
      if (performance.now() - notedMs < noteEveryMs) continue;
      notedMs = performance.now();
      note(`${formatAmount(told.replayed, 'message')} replayed so far`);
    }
  } catch (error) {
    note(`${formatAmount(told.replayed, 'message')} replayed before that`);
    throw error;
  }
  return told;
}

/** False for a message that cannot be replayed any more. */
async function replayOne(client: Client, id: string): Promise<boolean> {
  try {
    await client.messages.replay(id);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.problem.code === 'conflict') return false;
    throw error;
  }
}

async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
