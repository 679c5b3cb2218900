import { Command } from 'commander';
import type { Key, Scope } from '../../client/client.ts';
import { systemClock } from '../../lib/clock.ts';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { withFieldNames } from '../field-names.ts';
import { collect, type ServerOptions, wholeNumber, withExamples, withServer } from '../flags.ts';
import { formatDuration, formatTable } from '../format.ts';
import { printNote, printResult } from '../output.ts';
import { connect } from '../server-access.ts';

const overlapMaxMs = 7 * 86_400_000;

export function keyCommand(context: CommandContext): Command {
  const command = new Command('key').description('API keys');
  command.addCommand(listCommand(context));
  command.addCommand(createCommand(context));
  command.addCommand(revokeCommand(context));
  command.addCommand(rotateCommand(context));
  return withExamples(command, 'key list', 'key create --account ID --scope send,read');
}

function listCommand(context: CommandContext): Command {
  const command = withServer(new Command('list'))
    .description('keys by the last characters of their secret, and whether they work')
    .option('--account <id>', 'only of this account')
    .action(async ({ account, ...flags }: ServerOptions & { account?: string }) => {
      const query = account === undefined ? {} : { accountId: account };
      const keys = await allOf(connect(context, flags).keys.all(query));
      printResult(
        context,
        { data: keys },
        { json: flags.json, render: ({ data }, width) => describeKeys(data, width) },
      );
    });
  withFieldNames(command, { accountId: 'account' });
  return withExamples(command, 'key list --account ID');
}

interface CreateFlags extends ServerOptions {
  account?: string;
  scope?: Scope[];
  expires?: string;
  test?: boolean;
}

function createCommand(context: CommandContext): Command {
  const command = withServer(new Command('create'))
    .description('make a key; it is shown this once')
    .option('--account <id>', 'account that it acts for (default: your own)')
    .option(
      '--scope <scopes>',
      'send, read, manage, admin; several with commas (default: send,read)',
      collect,
    )
    .option('--expires <time>', 'RFC 3339 time after which it stops working')
    .option('--test', 'a test key: what it sends is delivered to nobody')
    .action((flags: CreateFlags) => create(context, flags));
  withFieldNames(command, { accountId: 'account', scopes: 'scope', expiresAt: 'expires' });
  return withExamples(
    command,
    'key create --account ID --scope send,read',
    'key create --account ID --test',
    'key create --scope admin --expires 2027-01-01T00:00:00Z',
  );
}

async function create(context: CommandContext, { account, ...flags }: CreateFlags): Promise<void> {
  const { scope = ['send', 'read'], expires, test } = flags;
  const key = await connect(context, flags).keys.create({
    scopes: scope,
    ...(account === undefined ? {} : { accountId: account }),
    ...(expires === undefined ? {} : { expiresAt: expires }),
    ...(test === undefined ? {} : { test }),
  });
  printNewKey(context, key, flags);
}

function revokeCommand(context: CommandContext): Command {
  const command = withServer(new Command('revoke'))
    .description('make a key stop working')
    .argument('<id>')
    .action(async (id: string, flags: ServerOptions) => {
      await connect(context, flags).keys.revoke(id);
      printResult(context, { revoked: id }, { json: flags.json, render: () => `key ${id} is revoked` });
    });
  return withExamples(command, 'key revoke ID');
}

function rotateCommand(context: CommandContext): Command {
  const command = withServer(new Command('rotate'))
    .description('make a key in the place of another; it is shown this once')
    .argument('<id>')
    .option(
      '--overlap-ms <ms>',
      'how long the old key still works, a week at most (default: 0)',
      wholeNumber(0, overlapMaxMs),
    )
    .action(async (id: string, { overlapMs = 0, ...flags }: ServerOptions & { overlapMs?: number }) => {
      const key = await connect(context, flags).keys.rotate(id, { overlapMs });
      printNewKey(context, key, flags);
      if (!flags.json) printNote(context, `the old key ${id} ${describeOverlap(key, overlapMs)}`);
    });
  return withExamples(command, 'key rotate ID', 'key rotate ID --overlap-ms 3600000');
}

/** Told from the answer: to ask for the old key could fail, and the new one is shown this once. The new one has its expiry. */
function describeOverlap({ createdAt, expiresAt }: Key, overlapMs: number): string {
  if (overlapMs === 0) return 'has stopped working';
  if (createdAt === undefined) return `works for ${formatDuration(overlapMs)} more`;
  const endsMs = Date.parse(createdAt) + overlapMs;
  return `works until ${new Date(expiresAt ? Math.min(endsMs, Date.parse(expiresAt)) : endsMs).toISOString()}`;
}

/** The key alone goes to standard output, so that a script can catch it. */
function printNewKey(context: CommandContext, key: Key, flags: ServerOptions): void {
  if (key.key === undefined) {
    throw new Failure(`key ${key.id} was made, but the answer that showed it was lost on the way`, {
      hint: `Make a new secret for it: millrace key rotate ${key.id}`,
    });
  }
  if (!flags.json) printNote(context, `key ${key.id}; it is not shown again:`);
  printResult(context, key, { json: flags.json, render: (made) => made.key ?? '' });
}

function describeKeys(keys: Key[], width: number): string {
  return formatTable(
    ['ID', 'HINT', 'ACCOUNT', 'SCOPES', 'CREATED', 'EXPIRES', 'STATE'],
    keys.map((key) => [
      key.id,
      key.hint ?? '',
      key.accountId ?? '',
      (key.scopes ?? []).join(','),
      key.createdAt ?? '',
      key.expiresAt ?? 'never',
      stateOf(key),
    ]),
    { width },
  );
}

function stateOf({ expiresAt, revokedAt, test }: Key): string {
  if (revokedAt) return 'revoked';
  if (expiresAt && Date.parse(expiresAt) <= systemClock.nowMs()) return 'expired';
  return test ? 'active, test' : 'active';
}
