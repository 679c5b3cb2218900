import { Command } from 'commander';
import type { NewMessage, SendWindow } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { jsonObject, oneOf, type ServerOptions, withExamples, withServer } from '../flags.ts';
import { formatCount, formatTable } from '../format.ts';
import { printResult } from '../output.ts';
import { describeSendFile, sendFile } from '../send-file.ts';
import { sendWindow, sendWindowForm, sendWindowHelp } from '../send-window.ts';
import { connect } from '../server-access.ts';

interface SendFlags extends ServerOptions {
  route?: string;
  from?: string;
  body?: string;
  subject?: string;
  to?: string;
  ref?: string;
  orderingKey?: string;
  template?: string;
  params?: Record<string, unknown>;
  priority?: 'interactive' | 'bulk';
  sendWindow?: SendWindow;
  format?: 'ndjson' | 'csv';
  again?: boolean;
  strict?: boolean;
}

export function sendCommand(context: CommandContext): Command {
  const command = withServer(new Command('send'))
    .description('send a file of messages, or one message')
    .argument('[file]', 'NDJSON or CSV, optionally gzip; one message a line')
    .option('--route <name>', 'route to send through (needed for a file)')
    .option('--from <sender>', 'sender of every line that names none')
    .option('--body <text>', 'body of every line that has none')
    .option('--subject <text>', 'subject of every line that has none')
    .option(
      '--ordering-key <key>',
      'messages of the account with this key leave in order; for lines that have none',
    )
    .option('--template <name>', 'template of every line that names none: it says what the message says')
    .option('--params <json>', 'what templates are filled in with, unless a line says otherwise', jsonObject)
    .option('--priority <priority>', 'interactive or bulk', oneOf('interactive', 'bulk'))
    .option(`--send-window <${sendWindowForm}>`, `of a file, ${sendWindowHelp}`, sendWindow)
    .option('--format <format>', 'ndjson or csv, when neither name nor content tells', oneOf('ndjson', 'csv'))
    .option('--again', 'send the file once more although it was sent before')
    .option('--strict', 'exit status 1 when any line was rejected; the accepted ones are sent all the same')
    .option('--to <recipient>', 'send one message to this recipient')
    .option('--ref <text>', 'your reference of the one message')
    .action((file: string | undefined, flags: SendFlags) => send(context, file, flags));
  withExamples(
    command,
    'send customers.ndjson.gz --route sms',
    'send customers.csv --route sms --from Acme --body "Your parcel is on its way"',
    'send customers.csv --route sms --template welcome',
    'send customers.csv --route sms --send-window mon-fri,09:00-20:00,Europe/Amsterdam',
    'send --to +31612345678 --body "Your code is 482911" --route sms',
  );
  return command.addHelpText(
    'after',
    `
A broken connection is resumed by itself. Run again, the same file to the same route with the same defaults goes on
where it stopped, or is found to be sent already (for the 24 hours that the server keeps the key); --again sends it anew.

Exit status: 0 when the file was sent, also when some of its lines were rejected and are listed; 1 when none was
accepted, or with --strict when any was rejected.`,
  );
}

async function send(context: CommandContext, file: string | undefined, flags: SendFlags): Promise<void> {
  if (flags.template !== undefined && (flags.body !== undefined || flags.subject !== undefined))
    throw usageFailure('a template says body and subject: give --template, or --body and --subject');
  if (file !== undefined && flags.to !== undefined) throw usageFailure('give a file or --to, not both');
  if (file !== undefined) return await sendWholeFile(context, file, flags);
  if (flags.to === undefined)
    throw usageFailure(
      'there is nothing to send',
      'Give a file, or --to with --body or --template. See: millrace send --help',
    );
  await sendOne(context, { ...flags, to: flags.to });
}

async function sendWholeFile(context: CommandContext, path: string, flags: SendFlags): Promise<void> {
  const { route, from, body, subject, template, params, priority, ref, orderingKey } = flags;
  const { sendWindow: window } = flags;
  if (route === undefined)
    throw usageFailure('a file needs --route NAME', 'millrace route list shows the routes');
  if (ref !== undefined) throw usageFailure('--ref is for one message; in a file, each line has its own');
  const batch = {
    route,
    ...(from === undefined ? {} : { from }),
    ...(body === undefined ? {} : { body }),
    ...(subject === undefined ? {} : { subject }),
    ...(template === undefined ? {} : { template }),
    ...(params === undefined ? {} : { params }),
    ...(priority === undefined ? {} : { priority }),
    ...(orderingKey === undefined ? {} : { orderingKey }),
    ...(window === undefined ? {} : { sendWindow: window }),
  };
  const client = connect(context, flags);
  const result = await sendFile(context, {
    client,
    path,
    batch,
    format: flags.format,
    again: flags.again ?? false,
    quiet: flags.json ?? false,
  });
  printResult(context, result, { json: flags.json, render: describeSendFile });
  if (result.accepted === 0 && !result.alreadySent) throw new Failure(`no line of ${path} was accepted`);
  if (flags.strict && result.rejected > 0) {
    const lines = result.rejected === 1 ? '1 line' : `${formatCount(result.rejected)} lines`;
    throw new Failure(`${lines} of ${path} ${result.rejected === 1 ? 'was' : 'were'} rejected (--strict)`);
  }
}

async function sendOne(context: CommandContext, flags: SendFlags & { to: string }): Promise<void> {
  if (flags.again || flags.strict || flags.format !== undefined)
    throw usageFailure('--again, --strict and --format are for files');
  if (flags.body === undefined && flags.template === undefined)
    throw usageFailure(
      'the message says nothing',
      'Give --body, or --template with its --params. See: millrace send --help',
    );
  if (flags.sendWindow !== undefined)
    throw usageFailure(
      '--send-window is for files',
      'One message obeys the window of its route: see route set --help',
    );
  const { to, from, body, subject, template, params, ref, route, priority, orderingKey } = flags;
  const fields = { to, from, body, subject, template, params, ref, route, priority, orderingKey };
  const message = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const answer = await connect(context, flags).messages.send(message as unknown as NewMessage);
  printResult(context, answer, {
    json: flags.json,
    render: ({ messages }) =>
      formatTable(
        ['ID', 'TO', 'STATE'],
        messages.map((each) => [each.id, each.to, each.state]),
      ),
  });
  const [error] = answer.errors;
  if (error !== undefined) throw new Failure(`${error.detail} (${error.code})`);
}
