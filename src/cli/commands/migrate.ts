import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
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
  const config = configOf(context, flags);
  const { migrate } = await import('../../store/migrate.ts');
  const applied =
    config.database === undefined
      ? await migrateEmbedded(config.data)
      : await migrate({ connectionString: config.database });
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

async function migrateEmbedded(dataDir: string): Promise<number[]> {
  const [{ startEmbedded }, { migrate }] = await Promise.all([
    import('../../embedded/start-embedded.ts'),
    import('../../store/migrate.ts'),
  ]);
  const server = await startEmbedded({ dataDir });
  try {
    return await migrate({ connectionString: server.url });
  } finally {
    await server.stop();
  }
}
