import { Command } from 'commander';
import type { Message } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../failure.ts';
import { type ServerOptions, wholeNumber, withExamples, withServer } from '../flags.ts';
import { formatFields, formatTable } from '../format.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

export function messageCommand(context: CommandContext): Command {
  const command = new Command('message').description('find single messages and steer them');
  command.addCommand(showCommand(context));
  command.addCommand(findCommand(context));
  command.addCommand(actionCommand(context, 'cancel', 'do not send it, if it was not sent yet'));
  command.addCommand(actionCommand(context, 'replay', 'try it again after it ended badly'));
  return withExamples(command, 'message show ID', 'message find --to +31612345678');
}

function showCommand(context: CommandContext): Command {
  const command = withServer(new Command('show'))
    .description('one message with everything that happened to it')
    .argument('<id>')
    .action(async (id: string, flags: ServerOptions) => {
      const message = await connect(context, flags).messages.get(id);
      printResult(context, message, { json: flags.json, render: describeMessage });
    });
  return withExamples(command, 'message show 0190c6f0-7b3a-7c11-9b0d-2f5a6c7d8001');
}

interface FindFlags extends ServerOptions {
  to?: string;
  ref?: string;
  since?: string;
  until?: string;
  limit: number;
  after?: string;
}

function findCommand(context: CommandContext): Command {
  const command = withServer(new Command('find'))
    .description('messages to a recipient, or with your reference')
    .option('--to <recipient>', 'recipient, exactly')
    .option('--ref <ref>', 'your reference, exactly')
    .option('--since <time>', 'accepted at this time or later (RFC 3339)')
    .option('--until <time>', 'accepted before this time (RFC 3339)')
    .option('--limit <n>', 'messages to show', wholeNumber(1, 200), 50)
    .option('--after <id>', 'go on behind this one: the "next" of the page before')
    .action((flags: FindFlags) => find(context, flags));
  return withExamples(command, 'message find --to +31612345678', 'message find --ref order-1042 --json');
}

async function find(context: CommandContext, flags: FindFlags): Promise<void> {
  if ((flags.to === undefined) === (flags.ref === undefined)) throw usageFailure('give either --to or --ref');
  const { json, url: _url, data: _data, ...query } = flags;
  const page = await connect(context, flags).messages.find(query);
  printResult(context, page, {
    json,
    render({ data, next }) {
      if (data.length === 0) return nothingFound(flags.to);
      const rows = data.map(({ id, createdAt, to, route, state, attempts }) => [
        id,
        createdAt,
        to,
        route,
        state,
        attempts,
      ]);
      const table = formatTable(['ID', 'ACCEPTED', 'TO', 'ROUTE', 'STATE', 'ATTEMPTS'], rows);
      return next === null ? table : `${table}\nmore: --after ${next}`;
    },
  });
}

/** Numbers are kept as they were accepted: `+` and digits, without a separator. */
function nothingFound(to: string | undefined): string {
  const none = 'no such messages';
  if (to === undefined || !/^\+?[\d\s().-]+$/.test(to)) return none;
  const number = `+${to.replace(/\D/g, '').replace(/^00/, '')}`;
  return number === to ? none : `${none}; numbers are kept in the form +31612345678: try --to ${number}`;
}

function actionCommand(context: CommandContext, action: string, description: string): Command {
  const command = withServer(new Command(action))
    .description(description)
    .argument('<id>')
    .action(async (id: string, flags: ServerOptions) => {
      const message = await connect(context, flags).messages.act(id, action);
      printResult(context, message, { json: flags.json, render: describeMessage });
    });
  return withExamples(command, `message ${action} ID`);
}

function describeMessage(message: Message): string {
  const waits = message.routePaused && ['queued', 'retrying'].includes(message.state);
  const fields = formatFields([
    ['id', message.id],
    ['state', message.state],
    ['to', message.to],
    ['from', message.from],
    ['route', waits ? `${message.route} (paused: the message waits)` : message.route],
    ['priority', message.priority],
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
  const timeline = (message.timeline ?? []).map(({ at, state, attempt, error }) => [
    at,
    state,
    attempt === undefined ? '' : `attempt ${attempt}`,
    error === undefined ? '' : `${error.code}: ${error.detail}`,
  ]);
  return timeline.length === 0 ? fields : `${fields}\n\n${formatTable(['AT', 'STATE', '', ''], timeline)}`;
}
