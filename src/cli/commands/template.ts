import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { Channel, Template } from '../../client/client.ts';
import { fileFault } from '../../lib/file-fault.ts';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { type AccountOptions, jsonObject, oneOf, wholeNumber, withAccount, withExamples } from '../flags.ts';
import { formatTable } from '../format.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

interface TextFlags extends AccountOptions {
  subject?: string;
  body?: string;
  bodyFile?: string;
  html?: string;
  htmlFile?: string;
}

interface PreviewFlags extends AccountOptions {
  params?: Record<string, unknown>;
  templateVersion?: number;
}

export function templateCommand(context: CommandContext): Command {
  const command = new Command('template').description('texts with variables, which messages are made of');
  command.addCommand(listCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(createCommand(context));
  command.addCommand(setCommand(context));
  command.addCommand(deleteCommand(context));
  command.addCommand(previewCommand(context));
  return withExamples(
    command,
    'template list',
    'template create code --channel sms --body "Code {{ code }}"',
  );
}

function listCommand(context: CommandContext): Command {
  const command = withAccount(new Command('list'))
    .description('the templates of the account')
    .action(async (flags: AccountOptions) => {
      const templates = await allOf(connect(context, flags).templates.all());
      printResult(
        context,
        { data: templates },
        {
          json: flags.json,
          render: ({ data }, width) =>
            formatTable(
              ['NAME', 'CHANNEL', 'VERSION', 'NEEDS'],
              data.map(({ name, channel, version, variables }) => [
                ...[name, channel, String(version)],
                variables.required.join(', '),
              ]),
              { width },
            ),
        },
      );
    });
  return withExamples(command, 'template list --json');
}

function showCommand(context: CommandContext): Command {
  const command = withAccount(new Command('show'))
    .description('one template with its versions')
    .argument('<name>', 'its name or id')
    .option('--template-version <n>', 'the texts of this version', wholeNumber(1, 1_000_000))
    .action(async (name: string, flags: AccountOptions & { templateVersion?: number }) => {
      const { templateVersion: version } = flags;
      const asked = version === undefined ? {} : { version };
      const template = await connect(context, flags).templates.get(name, asked);
      printResult(context, template, {
        json: flags.json,
        render: (value) => JSON.stringify(value, null, 2),
      });
    });
  return withExamples(command, 'template show code', 'template show code --template-version 2');
}

function createCommand(context: CommandContext): Command {
  const command = withTexts(withAccount(new Command('create')))
    .description('make a template; its language is in docs/templates.md')
    .argument('<name>')
    .requiredOption('--channel <channel>', 'sms, email or webhook', oneOf('sms', 'email', 'webhook'))
    .action(async (name: string, flags: TextFlags & { channel: Channel }) => {
      const texts = await textsOf(flags);
      const template = await connect(context, flags).templates.create({
        ...{ name, channel: flags.channel },
        ...texts,
      });
      printResult(context, template, { json: flags.json, render: describe });
    });
  return withExamples(
    command,
    'template create code --channel sms --body "Your code is {{ code }}"',
    'template create invoice --channel email --subject "Invoice {{ number }}" --html-file invoice.html',
  );
}

function setCommand(context: CommandContext): Command {
  const command = withTexts(withAccount(new Command('set')))
    .description('make a new version; what was accepted before keeps the one it had')
    .argument('<name>', 'its name or id')
    .action(async (name: string, flags: TextFlags) => {
      const texts = await textsOf(flags);
      if (Object.keys(texts).length === 0) throw usageFailure('there is nothing to change');
      const template = await connect(context, flags).templates.set(name, texts);
      printResult(context, template, { json: flags.json, render: describe });
    });
  return withExamples(command, 'template set code --body "Code: {{ code }}"');
}

function deleteCommand(context: CommandContext): Command {
  const command = withAccount(new Command('delete'))
    .description('remove a template; what was accepted with it is still sent')
    .argument('<name>', 'its name or id')
    .action(async (name: string, flags: AccountOptions) => {
      await connect(context, flags).templates.delete(name);
      printResult(
        context,
        { deleted: name },
        { json: flags.json, render: () => `template ${name} is deleted` },
      );
    });
  return withExamples(command, 'template delete code');
}

function previewCommand(context: CommandContext): Command {
  const command = withAccount(new Command('preview'))
    .description('what a template makes of parameters')
    .argument('<name>', 'its name or id')
    .option('--params <json>', 'what it is filled in with', jsonObject)
    .option('--template-version <n>', 'this version of it', wholeNumber(1, 1_000_000))
    .action(async (name: string, { params, templateVersion: version, ...flags }: PreviewFlags) => {
      const asked = { ...(params && { params }), ...(version !== undefined && { version }) };
      const preview = await connect(context, flags).templates.preview(name, asked);
      printResult(context, preview, {
        json: flags.json,
        render: ({ subject, body, html }) =>
          [...(subject === undefined ? [] : [`Subject: ${subject}`]), ...[body, html].filter(Boolean)].join(
            '\n\n',
          ),
      });
    });
  return withExamples(command, `template preview code --params '{"code": "482911"}'`);
}

function withTexts(command: Command): Command {
  return command
    .option('--subject <text>', 'of an email')
    .option('--body <text>', 'the text')
    .option('--body-file <file>', 'a file that holds the text')
    .option('--html <text>', 'the HTML of an email')
    .option('--html-file <file>', 'a file that holds the HTML');
}

async function textsOf({ subject, body, bodyFile, html, htmlFile }: TextFlags): Promise<Partial<Template>> {
  if (body !== undefined && bodyFile !== undefined)
    throw usageFailure('give --body or --body-file, not both');
  if (html !== undefined && htmlFile !== undefined)
    throw usageFailure('give --html or --html-file, not both');
  const texts = {
    subject,
    body: bodyFile === undefined ? body : await readText(bodyFile),
    html: htmlFile === undefined ? html : await readText(htmlFile),
  };
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined));
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${fileFault(error)}`);
  }
}

function describe({ name, version, variables }: Template): string {
  const needs = variables.required.length === 0 ? 'nothing' : variables.required.join(', ');
  return `template ${name} is in version ${version}; a message must bring: ${needs}`;
}
