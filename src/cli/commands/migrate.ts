import { Command } from 'commander';
import type { Config } from '../../config/resolve-config.ts';
import type { CommandContext } from '../command-context.ts';
import { findDatabase } from '../database-access.ts';
import { withExamples, withJson } from '../flags.ts';
import { printResult } from '../output.ts';
import { configOf, withServeOptions } from './serve.ts';

export function migrateCommand(context: CommandContext): Command {
  const command = withJson(withServeOptions(new Command('migrate')))
    .description('bring the database schema up to date (serve does it by itself at start)')
    .action((flags: Parameters<typeof configOf>[1]) => migrateDatabase(context, flags));
  return withExamples(
    command,
    'migrate',
    'migrate --database postgres://millrace:secret@db.internal/millrace',
  );
}

async function migrateDatabase(
  context: CommandContext,
  flags: Parameters<typeof configOf>[1],
): Promise<void> {
  const migrated = await migrateFound(configOf(context, flags));
  printResult(context, migrated, {
    json: flags.json,
    render: ({ applied, eventsApplied }) =>
      eventsApplied === undefined
        ? describe(applied)
        : `${describe(applied)}\nThe events database: ${describe(eventsApplied)}`,
  });
}

function describe(applied: readonly number[]): string {
  if (applied.length === 0) return 'The schema was up to date.';
  return `Applied migration${applied.length === 1 ? '' : 's'} ${applied.join(', ')}.`;
}

interface Migrated {
  applied: number[];
  /** The same of the database of statistics, where that is another. */
  eventsApplied?: number[];
}

/** A database that was started for it is stopped again. */
async function migrateFound(config: Config): Promise<Migrated> {
  const { migrate } = await import('../../store/migrate.ts');
  const database = await findDatabase(config);
  try {
    const applied = await migrate({ connectionString: database.url });
    if (config.eventsDatabase === undefined) return { applied };
    return { applied, eventsApplied: await migrate({ connectionString: config.eventsDatabase }) };
  } finally {
    await database.stop?.();
  }
}
