import { Command } from 'commander';
import type { WebhookEndpoint } from '../../client/client.ts';
import { isPublicAddress, literalAddress } from '../../lib/public-address.ts';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { withFieldNames } from '../field-names.ts';
import { type AccountOptions, collect, wholeNumber, withAccount, withExamples } from '../flags.ts';
import { formatTable } from '../format.ts';
import { printNote, printResult } from '../output.ts';
import { connect } from '../server-access.ts';

const batchMaxMax = 500;
const overlapMaxMs = 7 * 86_400_000;
const webhookForm = '<id or name>';

export function webhookCommand(context: CommandContext): Command {
  const command = new Command('webhook').description('endpoints that are told of messages and batches');
  command.addCommand(listCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(createCommand(context));
  command.addCommand(setCommand(context));
  command.addCommand(switchCommand(context, true));
  command.addCommand(switchCommand(context, false));
  command.addCommand(rotateCommand(context));
  command.addCommand(deleteCommand(context));
  return withExamples(
    command,
    'webhook create billing https://example.com/hook --event message.delivered,message.failed',
    'webhook list',
    'message find --to billing',
  );
}

function listCommand(context: CommandContext): Command {
  const command = withAccount(new Command('list'))
    .description('webhooks, and whether they are called')
    .action(async (flags: AccountOptions) => {
      const webhooks = await allOf(connect(context, flags).webhooks.all());
      printResult(
        context,
        { data: webhooks },
        { json: flags.json, render: ({ data }, width) => describeAll(data, width) },
      );
    });
  return withExamples(command, 'webhook list');
}

function showCommand(context: CommandContext): Command {
  const command = withAccount(new Command('show'))
    .description('one webhook')
    .argument(webhookForm)
    .action(async (given: string, flags: AccountOptions) => {
      const webhook = await find(connect(context, flags).webhooks, given);
      printResult(context, webhook, { json: flags.json, render: describe });
    });
  return withExamples(command, 'webhook show billing');
}

type WebhookCalls = ReturnType<typeof connect>['webhooks'];

/** A name may look like an id: then the id goes first. */
async function find(webhooks: WebhookCalls, given: string): Promise<WebhookEndpoint> {
  const all = await allOf(webhooks.all());
  const found = all.find(({ id }) => id === given) ?? all.find(({ name }) => name === given);
  if (found) return found;
  throw new Failure(`there is no webhook ${JSON.stringify(given)}`, {
    hint: 'millrace webhook list shows those of the account.',
  });
}

interface FieldFlags extends AccountOptions {
  event?: string[];
  route?: string[];
  tag?: string[];
  batch?: number;
}

function withFields(command: Command): Command {
  return withFieldNames(command, filledFields)
    .option(
      '--event <types>',
      'events that it is told, several with commas (default: how messages and batches ended)',
      collect,
    )
    .option('--route <names>', 'only of messages and batches on these routes', collect)
    .option('--tag <tags>', 'only of messages with one of these tags', collect)
    .option('--batch <n>', 'events that one request may carry (default: 1)', wholeNumber(1, batchMaxMax));
}

const filledFields = {
  events: 'event',
  'filter/routes': 'route',
  'filter/tags': 'tag',
  batchMax: 'batch',
};

function createCommand(context: CommandContext): Command {
  const command = withFields(withAccount(new Command('create')))
    .description('register an endpoint; its secret is shown this once')
    .argument('<name>')
    .argument('<url>')
    .action(async (name: string, url: string, flags: FieldFlags) => {
      const webhook = await connect(context, flags).webhooks.create({
        name,
        url,
        ...fieldsOf(flags),
      });
      noteRefused(context, url);
      printSecret(context, webhook, flags);
    });
  return withExamples(command, 'webhook create billing https://example.com/hook --batch 100');
}

function setCommand(context: CommandContext): Command {
  const command = withFields(withAccount(new Command('set')))
    .description('change a webhook; what is left out stays as it is')
    .argument(webhookForm)
    .option('--name <name>', 'its name')
    .option('--endpoint <url>', 'where events are posted')
    .action(async (given: string, flags: FieldFlags & { name?: string; endpoint?: string }) => {
      const { name, endpoint } = flags;
      const { webhooks } = connect(context, flags);
      const { id, filter } = await find(webhooks, given);
      const webhook = await webhooks.change(id, {
        ...(name !== undefined && { name }),
        ...(endpoint !== undefined && { url: endpoint }),
        ...fieldsOf(flags, filter),
      });
      if (endpoint !== undefined) noteRefused(context, endpoint);
      printResult(context, webhook, { json: flags.json, render: describe });
    });
  withFieldNames(command, { url: 'endpoint' });
  return withExamples(command, 'webhook set billing --endpoint https://example.com/new');
}

function switchCommand(context: CommandContext, enabled: boolean): Command {
  const name = enabled ? 'enable' : 'disable';
  const command = withAccount(new Command(name))
    .description(
      enabled
        ? 'call one again that was disabled, by hand or because it failed'
        : 'tell an endpoint of nothing until it is enabled; what waits for it fails, its secret stays',
    )
    .argument(webhookForm)
    .action(async (given: string, flags: AccountOptions) => {
      const { webhooks } = connect(context, flags);
      const { id } = await find(webhooks, given);
      const webhook = await webhooks.change(id, { enabled });
      printResult(context, webhook, { json: flags.json, render: describe });
    });
  return withExamples(command, `webhook ${name} billing`);
}

function rotateCommand(context: CommandContext): Command {
  const command = withAccount(new Command('rotate'))
    .description('make a new secret; it is shown this once, and the old one still signs for a while')
    .argument(webhookForm)
    .option(
      '--overlap-ms <ms>',
      'how long requests are signed with the old secret as well, a week at most (default: a day)',
      wholeNumber(0, overlapMaxMs),
    )
    .action(async (given: string, { overlapMs, ...flags }: AccountOptions & { overlapMs?: number }) => {
      const { webhooks } = connect(context, flags);
      const { id } = await find(webhooks, given);
      printSecret(context, await webhooks.rotate(id, overlapMs === undefined ? {} : { overlapMs }), flags);
    });
  return withExamples(command, 'webhook rotate billing', 'webhook rotate billing --overlap-ms 0');
}

function deleteCommand(context: CommandContext): Command {
  const command = withAccount(new Command('delete'))
    .description('tell an endpoint of nothing more')
    .argument(webhookForm)
    .action(async (given: string, flags: AccountOptions) => {
      const { webhooks } = connect(context, flags);
      const { id } = await find(webhooks, given);
      await webhooks.delete(id);
      printResult(
        context,
        { deleted: id },
        { json: flags.json, render: () => `webhook ${given} is deleted` },
      );
    });
  return withExamples(command, 'webhook delete billing');
}

/** A filter is replaced as a whole: what of it is not given stays as it was. */
function fieldsOf(
  { event, route, tag, batch }: FieldFlags,
  filterBefore: WebhookEndpoint['filter'] = {},
): Record<string, unknown> {
  const given = { ...(route && { routes: route }), ...(tag && { tags: tag }) };
  return {
    ...(event && { events: event }),
    ...(Object.keys(given).length > 0 && { filter: { ...filterBefore, ...given } }),
    ...(batch !== undefined && { batchMax: batch }),
  };
}

/** Of an address that is known from its URL alone: where a name leads is judged at each connection. */
function noteRefused(context: CommandContext, url: string): void {
  const { hostname } = new URL(url);
  const literal = literalAddress(hostname);
  const isPublic = literal === undefined ? !/^(.+\.)?localhost\.?$/.test(hostname) : isPublicAddress(literal);
  if (isPublic) return;
  printNote(
    context,
    `note: requests to ${hostname}, a private or reserved address, are refused unless the route callbacks has allowPrivate. ` +
      'An administrator sets it with: millrace route set callbacks --change --allow-private',
  );
}

/** The secret alone goes to standard output, so that a script can catch it. */
function printSecret(context: CommandContext, webhook: WebhookEndpoint, flags: AccountOptions): void {
  if (webhook.secret === undefined) {
    throw new Failure(
      `webhook ${webhook.id} has a new secret, but the answer that showed it was lost on the way`,
      {
        hint: `Make another one: millrace webhook rotate ${webhook.id}`,
      },
    );
  }
  if (!flags.json) printNote(context, `webhook ${webhook.id}; its secret is not shown again:`);
  printResult(context, webhook, { json: flags.json, render: (made) => made.secret ?? '' });
}

function describeAll(webhooks: readonly WebhookEndpoint[], width: number): string {
  return formatTable(
    ['ID', 'NAME', 'URL', 'STATE'],
    webhooks.map((webhook) => [webhook.id, webhook.name, webhook.url, stateOf(webhook)]),
    { width },
  );
}

function describe(webhook: WebhookEndpoint): string {
  const { id, name, url, events, filter, batchMax } = webhook;
  const rows = [
    ['id', id],
    ['name', name],
    ['url', url],
    ['state', stateOf(webhook)],
    ['events', events.join(', ')],
    ...(filter.routes ? [['routes', filter.routes.join(', ')]] : []),
    ...(filter.tags ? [['tags', filter.tags.join(', ')]] : []),
    ['events a request', String(batchMax)],
  ];
  return rows.map(([what, value]) => `${what!.padEnd(17)} ${value}`).join('\n');
}

function stateOf({ state, disabledReason, failingSince }: WebhookEndpoint): string {
  if (state === 'disabled') return `disabled: ${disabledReason}`;
  return failingSince === undefined ? 'enabled' : `enabled, failing since ${failingSince}`;
}
