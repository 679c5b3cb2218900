import { Command } from 'commander';
import { createClient } from '../../client/client.ts';
import { type OutboxDialect, outboxTable, outboxTableDefault } from '../../client/outbox-table.ts';
import { systemClock } from '../../lib/clock.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { oneOf, type ServerOptions, wholeNumber, withExamples, withServer } from '../flags.ts';
import { formatAmount, formatCount } from '../format.ts';
import { outboxLog } from '../outbox-log.ts';
import { printResult } from '../output.ts';
import { findServer } from '../server-access.ts';
import { stopWithParent } from '../stop-signal.ts';

interface OutboxFlags extends ServerOptions {
  database?: string;
  table: string;
  create?: boolean;
  once?: boolean;
  printSchema?: OutboxDialect;
  pollMs: number;
  stopWithParent?: boolean;
}

/** Of `--once`; without it there is no limit. */
const triesMax = 5;
/** What was posted may be answered late; the connection to the application's database is kept meanwhile. */
const silenceMs = 60_000;

export function outboxCommand(context: CommandContext): Command {
  const command = withServer(new Command('outbox'))
    .description('move messages that an application has staged in its own database into Millrace, each once')
    .option(
      '--database <url>',
      'the application’s database: postgres://… or mariadb://… (default: MILLRACE_OUTBOX_DATABASE_URL)',
    )
    .option('--table <name>', 'the staging table, also schema.name', outboxTableDefault)
    .option('--create', 'make the tables first where they are missing')
    .option('--once', 'end when nothing is staged any more, in place of waiting for more')
    .option(
      '--poll-ms <n>',
      'milliseconds between looks while nothing is staged',
      wholeNumber(10, 60_000),
      200,
    )
    .option(
      '--print-schema <database>',
      'print the tables as SQL for postgres or mariadb, and do nothing else',
      oneOf('postgres', 'mariadb'),
    )
    .option('--stop-with-parent', 'stop when the process that started this one ends (needs its IPC channel)')
    .action((flags: OutboxFlags) => outbox(context, flags));
  withExamples(
    command,
    'outbox --print-schema postgres',
    'outbox --database postgres://app:secret@db.internal/app --create',
    'outbox --database mariadb://app:secret@db.internal/app --table shop.millrace_outbox --json',
    'outbox --once',
  );
  return command.addHelpText(
    'after',
    `
Stage with stage() of the client, or with INSERT INTO ${outboxTableDefault} (message) VALUES (…), in the transaction of your
data. Start as many drainers as you like: one works, and another takes over when it ends. What Millrace refuses is in
${outboxTableDefault}_rejected with its reason. While Millrace or the database is away, or a quota or the balance of the account is used up,
it is tried again, and nothing is lost.
With --json the log is JSON lines on stdout. docs/outbox.md tells what is promised.

Exit status: 0 when it was told to stop, or with --once when nothing was left; 1 when it cannot go on (the database, its
tables or privileges, the key, a pooler in transaction mode) or, with --once, another drainer works; 2 for wrong usage.`,
  );
}

async function outbox(context: CommandContext, flags: OutboxFlags): Promise<void> {
  checkTable(flags.table);
  if (flags.printSchema !== undefined) return await printSchema(context, flags.printSchema, flags.table);
  const url = flags.database ?? context.environment.MILLRACE_OUTBOX_DATABASE_URL;
  if (!url) {
    throw usageFailure(
      'which database has the outbox?',
      'Give --database postgres://… or mariadb://…, or set MILLRACE_OUTBOX_DATABASE_URL.',
    );
  }
  const server = findServer(context, flags);
  const [{ Drainer }, { openOutbox }] = await Promise.all([
    import('../../outbox/drainer.ts'),
    import('../../outbox/open-outbox.ts'),
  ]);
  const signal = flags.stopWithParent ? stopWithParent(context.signal) : context.signal;
  const { create, open } = openOutbox(url, flags.table);
  if (flags.create) await create();
  const client = createClient({ ...server, userAgent: 'millrace-outbox', attemptsMax: 1, silenceMs });
  const log = outboxLog(context, { json: flags.json === true });
  const drainer = new Drainer({
    ...{ open, client, log, triesMax, pollMs: flags.pollMs },
    ...{ clock: systemClock, random: Math.random },
  });
  try {
    if (!flags.once) await drainer.run(signal);
    else if (!(await drainer.runOnce(signal))) throw anotherWorks();
  } finally {
    log.stop();
    client.close();
  }
  if (!flags.once) return;
  printResult(context, log.totals, {
    json: flags.json,
    render: ({ accepted, rejected }) =>
      `${formatAmount(accepted, 'message')} moved, ${formatCount(rejected)} set aside`,
  });
}

async function printSchema(context: CommandContext, dialect: OutboxDialect, table: string): Promise<void> {
  const { outboxSchema } = await import('../../outbox/schema.ts');
  const statements = outboxSchema(dialect, table);
  context.terminal.out.write(`${statements.map((statement) => `${statement};\n`).join('\n')}`);
}

function checkTable(table: string): void {
  try {
    outboxTable(table, 'postgres');
  } catch (error) {
    throw usageFailure(`--table: ${(error as Error).message}`);
  }
}

function anotherWorks(): Failure {
  return new Failure('another drainer works on this outbox', {
    hint: 'It moves what is staged. --once is for an outbox without one.',
  });
}
