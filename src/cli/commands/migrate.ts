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
  const applied = await migrateFound(configOf(context, flags));
  printResult(
    context,
    { applied },
    {
      json: flags.json,
      render: () =>
        applied.length === 0
          ? 'The schema was up to date.'
          : `Applied migration${applied.length === 1 ? '' : 's'} ${applied.join(', ')}.`,
    },
  );
}

/** A database that was started for it is stopped again. */
async function migrateFound(config: Config): Promise<number[]> {
  const { migrate } = await import('../../store/migrate.ts');
  const database = await findDatabase(config);
  try {
    return await migrate({ connectionString: database.url });
  } finally {
    await database.stop?.();
  }
}
