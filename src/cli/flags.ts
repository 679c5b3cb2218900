import { type Command, InvalidArgumentError } from 'commander';

/** Every command's results can be had as JSON. */
export function withJson(command: Command): Command {
  return command.option('--json', 'write the result as JSON');
}

/** For commands that ask a server: where it is, and JSON. */
export function withServer(command: Command): Command {
  return withJson(command)
    .option('--url <url>', 'server to ask (default: MILLRACE_URL, else the local server)')
    .option('--data <dir>', 'data directory of the local server, for its address and admin.key');
}

/** As `withServer`, for what belongs to an account: an administrator may name another than its own. */
export function withAccount(command: Command, unnamed = 'the account of the key'): Command {
  return withServer(command).option(
    '--account <id>',
    `whose they are; needs an administrator key (default: ${unnamed})`,
    accountId,
  );
}

/** As `withAccount`, for what an administrator sees of all accounts. */
export function withAnyAccount(command: Command): Command {
  return withAccount(command, 'all accounts with such a key, else the account of the key');
}

/** The id of an account, for commander: it goes into a header, which bears no text of every kind. */
export function accountId(text: string): string {
  if (/^[1-9]\d{0,9}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be the id of an account, as "account list" shows it.');
}

/** Examples at the end of `--help`. */
export function withExamples(command: Command, ...examples: string[]): Command {
  const lines = examples.map((example) => `  $ millrace ${example}`).join('\n');
  return command.addHelpText('after', `\nExamples:\n${lines}`);
}

export interface ServerOptions {
  json?: boolean;
  url?: string;
  data?: string;
}

export interface AccountOptions extends ServerOptions {
  account?: string;
}

/** A whole number from `min` on, for commander. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    // Separators stand before groups of three, so that the decimal comma of `1,5` does not make it 15.
    const number = /^(?:\d+|\d{1,3}(?:[_,]\d{3})+)$/.test(text)
      ? Number(text.replaceAll(/[_,]/g, ''))
      : Number.NaN;
    if (!Number.isSafeInteger(number) || number < min || number > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
      throw new InvalidArgumentError(`It must be a whole number ${range}.`);
    }
    return number;
  };
}

/** An object as JSON. */
export function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Told below.
  }
  throw new InvalidArgumentError('It must be a JSON object, such as {"name": "Ann"}.');
}

export function oneOf<T extends string>(...values: T[]): (text: string) => T {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`);
    return found;
  };
}

/** A decimal number between two bounds, both included. */
export function decimalNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text);
    if (!(number >= min && number <= max))
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return number;
  };
}

/** `--tag a --tag b` and `--tag a,b` are the same. */
export function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(',').map((part) => part.trim())].filter((part) => part !== '');
}
