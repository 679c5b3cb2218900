import { Command, InvalidArgumentError } from 'commander';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../failure.ts';
import { decimalNumber, type ServerOptions, wholeNumber, withExamples, withServer } from '../flags.ts';
import { formatTable } from '../format.ts';
import { printResult } from '../output.ts';
import { connect } from '../server-access.ts';

interface AccountFlags extends ServerOptions {
  name?: string;
  weight?: number;
  defaultRoute?: Record<string, string>;
  requestsPerSecond?: number;
  /** False to take the limit away. */
  rate?: number | false;
}

export function accountCommand(context: CommandContext): Command {
  const command = new Command('account').description('the customers of this installation');
  command.addCommand(listCommand(context));
  command.addCommand(createCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(setCommand(context));
  command.addCommand(deleteCommand(context));
  return withExamples(command, 'account list', 'account create Acme --weight 2');
}

function listCommand(context: CommandContext): Command {
  const command = withServer(new Command('list'))
    .description('all accounts')
    .action(async (flags: ServerOptions) => {
      const accounts = await allOf(connect(context, flags).accounts.all());
      printResult(
        context,
        { data: accounts },
        {
          json: flags.json,
          render: ({ data }) =>
            formatTable(
              ['ID', 'NAME', 'WEIGHT', 'RATE/S'],
              data.map(({ id, name, weight, limits }) => [
                id,
                name,
                String(weight ?? 1),
                limits?.ratePerSecond === undefined ? '' : String(limits.ratePerSecond),
              ]),
            ),
        },
      );
    });
  return withExamples(command, 'account list --json');
}

function createCommand(context: CommandContext): Command {
  const command = withSettings(withServer(new Command('create')))
    .description('make an account; its keys come from: millrace key create')
    .argument('<name>')
    .action(async (name: string, flags: AccountFlags) => {
      const account = await connect(context, flags).accounts.create({ name, ...settings(flags) });
      printResult(context, account, { json: flags.json, render: ({ id }) => `account ${id} (${name})` });
    });
  return withExamples(command, 'account create Acme --weight 2 --default-route sms=premium');
}

function showCommand(context: CommandContext): Command {
  const command = withServer(new Command('show'))
    .description('one account')
    .argument('<id>')
    .action(async (id: string, flags: ServerOptions) => {
      const account = await connect(context, flags).accounts.get(id);
      printResult(context, account, { json: flags.json, render: (value) => JSON.stringify(value, null, 2) });
    });
  return withExamples(command, 'account show ID');
}

function setCommand(context: CommandContext): Command {
  const command = withSettings(withServer(new Command('set')))
    .description('change an account')
    .argument('<id>')
    .option('--name <name>', 'its name')
    .option('--no-rate', 'take the limit on messages a second away')
    .action(async (id: string, flags: AccountFlags) => {
      const change = { ...settings(flags), ...(flags.name === undefined ? {} : { name: flags.name }) };
      if (Object.keys(change).length === 0) throw usageFailure('there is nothing to change');
      const { accounts } = connect(context, flags);
      // The server replaces limits as a whole.
      if (change.limits) change.limits = kept({ ...(await accounts.get(id)).limits, ...change.limits });
      const account = await accounts.set(id, change);
      printResult(context, account, { json: flags.json, render: () => `account ${id} is changed` });
    });
  return withExamples(command, 'account set ID --weight 4', 'account set ID --rate 50');
}

function deleteCommand(context: CommandContext): Command {
  const command = withServer(new Command('delete'))
    .description('remove an account; its keys stop working')
    .argument('<id>')
    .action(async (id: string, flags: ServerOptions) => {
      await connect(context, flags).accounts.delete(id);
      printResult(context, { deleted: id }, { json: flags.json, render: () => `account ${id} is deleted` });
    });
  return withExamples(command, 'account delete ID');
}

function withSettings(command: Command): Command {
  return command
    .option('--weight <n>', 'share of a busy route, against 1 for the others', wholeNumber(1, 1_000))
    .option(
      '--requests-per-second <n>',
      'API requests that each of its keys may make (default: the server’s own limit)',
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--rate <n>',
      'messages a second that leave for it, over all its routes (default: no limit)',
      decimalNumber(0.001, 1_000_000),
    )
    .option(
      '--default-route <channel=route>',
      'route for messages that name none; sms, email or webhook',
      collectRoute,
    );
}

interface Settings {
  weight?: number;
  limits?: Limits;
  defaultRoutes?: Record<string, string>;
  name?: string;
}

interface Limits {
  requestsPerSecond?: number;
  ratePerSecond?: number | false;
}

function settings({ weight, defaultRoute, requestsPerSecond, rate }: AccountFlags): Settings {
  const limits: Limits = {
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(rate === undefined ? {} : { ratePerSecond: rate }),
  };
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(defaultRoute === undefined ? {} : { defaultRoutes: defaultRoute }),
  };
}

function kept(limits: Limits): Limits {
  const { ratePerSecond, ...others } = limits;
  return ratePerSecond === false ? others : limits;
}

function collectRoute(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, channel, route] = /^(sms|email|webhook)=(.+)$/.exec(text) ?? [];
  if (channel === undefined || route === undefined)
    throw new InvalidArgumentError('It must look like sms=NAME.');
  return { ...before, [channel]: route };
}
