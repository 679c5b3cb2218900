import { Command, InvalidArgumentError } from 'commander';
import type { AccountLimits, NewAccount, Prepaid } from '../../client/client.ts';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../failure.ts';
import { withFieldNames } from '../field-names.ts';
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
  messagesPerDay?: number | false;
  partsPerDay?: number | false;
  /** False for an account that pays later. */
  prepaid?: Prepaid | false;
  /** False for none. */
  defaultCountry?: string | false;
}

export function accountCommand(context: CommandContext): Command {
  const command = new Command('account').description('the customers of this installation');
  command.addCommand(listCommand(context));
  command.addCommand(createCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(setCommand(context));
  command.addCommand(creditCommand(context));
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
          render: ({ data }, width) =>
            formatTable(
              ['ID', 'NAME', 'WEIGHT', 'RATE/S'],
              data.map(({ id, name, weight, limits }) => [
                id,
                name,
                String(weight ?? 1),
                limits?.ratePerSecond === undefined ? '' : String(limits.ratePerSecond),
              ]),
              { width },
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
    .description('one account, and what it has used today')
    .argument('<id>')
    .action(async (id: string, flags: ServerOptions) => {
      const { accounts } = connect(context, flags);
      const account = { ...(await accounts.get(id)), usage: await accounts.usage(id) };
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
    .option('--no-messages-per-day', 'take the limit on messages a day away')
    .option('--no-parts-per-day', 'take the limit on SMS a day away')
    .option('--no-prepaid', 'let it pay later')
    .option('--no-default-country', 'refuse telephone numbers that do not tell their country')
    .action(async (id: string, flags: AccountFlags) => {
      const { limits, ...others } = settings(flags);
      const change: Partial<NewAccount> = {
        ...others,
        ...(flags.name === undefined ? {} : { name: flags.name }),
      };
      const freed = freedLimits(flags);
      if (Object.keys(change).length === 0 && !limits && freed.length === 0)
        throw usageFailure('there is nothing to change');
      const { accounts } = connect(context, flags);
      // The server replaces limits as a whole.
      if (limits || freed.length > 0) {
        change.limits = { ...(await accounts.get(id)).limits, ...limits };
        for (const name of freed) delete change.limits[name];
      }
      const account = await accounts.set(id, change);
      printResult(context, account, { json: flags.json, render: () => `account ${id} is changed` });
    });
  return withExamples(command, 'account set ID --weight 4', 'account set ID --rate 50');
}

function creditCommand(context: CommandContext): Command {
  const command = withServer(new Command('credit'))
    .description('add to the balance of a prepaid account; a negative amount takes back')
    .argument('<id>')
    .argument('<amount>', 'in the account’s currency, up to six decimals', micros)
    .requiredOption('--reason <text>', 'kept with it, such as the number of an invoice')
    .action(async (id: string, amountMicros: number, flags: ServerOptions & { reason: string }) => {
      const { accounts } = connect(context, flags);
      const { prepaid } = await accounts.get(id);
      if (!prepaid)
        throw usageFailure('the account is not prepaid: millrace account set ID --prepaid EUR=0.05');
      const { currency } = prepaid;
      const credit = await accounts.credit(id, { amountMicros, currency, reason: flags.reason });
      printResult(context, credit, {
        json: flags.json,
        render: ({ balanceMicros }) => `account ${id} has ${amountOf(balanceMicros)} ${currency}`,
      });
    });
  return withExamples(command, 'account credit ID 250.00 --reason "invoice 17"');
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
  return withFieldNames(command, filledFields)
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
      '--messages-per-day <n>',
      'messages taken in on a day of UTC; more are refused (default: no limit)',
      wholeNumber(0, 1_000_000_000),
    )
    .option('--parts-per-day <n>', 'the same of the SMS that they take', wholeNumber(0, 1_000_000_000))
    .option(
      '--prepaid <currency=price>',
      'take what a message (EUR=0.05) or an SMS (EUR=0.05/part) costs off a balance, and refuse what it does not pay for',
      prepaidOf,
    )
    .option(
      '--default-route <channel=route>',
      'route for messages that name none; sms, email or webhook',
      collectRoute,
    )
    .option(
      '--default-country <code>',
      'where telephone numbers are dialled that do not tell their country, such as NL',
    );
}

const filledFields = {
  'limits/requestsPerSecond': 'requestsPerSecond',
  'limits/ratePerSecond': 'rate',
  'limits/messagesPerDay': 'messagesPerDay',
  'limits/partsPerDay': 'partsPerDay',
  defaultRoutes: 'defaultRoute',
};

function settings({
  weight,
  defaultRoute,
  requestsPerSecond,
  rate,
  messagesPerDay,
  partsPerDay,
  prepaid,
  defaultCountry,
}: AccountFlags): Omit<Partial<NewAccount>, 'name'> {
  const limits: AccountLimits = {
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(rate === undefined || rate === false ? {} : { ratePerSecond: rate }),
    ...(messagesPerDay === undefined || messagesPerDay === false ? {} : { messagesPerDay }),
    ...(partsPerDay === undefined || partsPerDay === false ? {} : { partsPerDay }),
  };
  return {
    ...(weight === undefined ? {} : { weight }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(defaultRoute === undefined ? {} : { defaultRoutes: defaultRoute }),
    ...(prepaid === undefined ? {} : { prepaid: prepaid || null }),
    ...(defaultCountry === undefined ? {} : { defaultCountry: defaultCountry || null }),
  };
}

function prepaidOf(text: string): Prepaid {
  const [, currency, price, part] = /^([A-Z]{3})=([^/]+)(\/part)?$/.exec(text) ?? [];
  if (currency === undefined || price === undefined)
    throw new InvalidArgumentError('It must look like EUR=0.05 or EUR=0.05/part.');
  const amount = micros(price);
  if (amount < 0) throw new InvalidArgumentError('A price is not negative.');
  return part === undefined
    ? { currency, messageMicros: amount }
    : { currency, messageMicros: 0, partMicros: amount };
}

const microsPerUnit = 1_000_000;
const decimals = 6;

/** Of a decimal number, digit by digit: 0.1 is exact. */
function micros(text: string): number {
  const [, sign, whole, part = ''] = /^(-?)(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (whole === undefined)
    throw new InvalidArgumentError(`It must be an amount with ${decimals} decimals at most.`);
  const amount = Number(whole) * microsPerUnit + Number(part.padEnd(decimals, '0'));
  return sign === '-' && amount > 0 ? -amount : amount;
}

function amountOf(amountMicros: number): string {
  const amount = Math.abs(amountMicros);
  const part = String(amount % microsPerUnit).padStart(decimals, '0');
  return `${amountMicros < 0 ? '-' : ''}${Math.floor(amount / microsPerUnit)}.${part.replace(/0{1,4}$/, '')}`;
}

/** Limits that are to be taken away. */
function freedLimits({ rate, messagesPerDay, partsPerDay }: AccountFlags): (keyof AccountLimits)[] {
  return [
    ...(rate === false ? (['ratePerSecond'] as const) : []),
    ...(messagesPerDay === false ? (['messagesPerDay'] as const) : []),
    ...(partsPerDay === false ? (['partsPerDay'] as const) : []),
  ];
}

function collectRoute(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, channel, route] = /^(sms|email|webhook)=(.+)$/.exec(text) ?? [];
  if (channel === undefined || route === undefined)
    throw new InvalidArgumentError('It must look like sms=NAME.');
  return { ...before, [channel]: route };
}
