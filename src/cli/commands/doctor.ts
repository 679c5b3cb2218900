import { Command } from 'commander';
import { connectionsOf } from '../../config/connections-of.ts';
import type { Config } from '../../config/resolve-config.ts';
import type { Diagnosis } from '../../doctor/examine.ts';
import { systemClock } from '../../lib/clock.ts';
import type { CommandContext } from '../command-context.ts';
import { findDatabase } from '../database-access.ts';
import { Failure } from '../failure.ts';
import { withExamples, withJson } from '../flags.ts';
import { printResult } from '../output.ts';
import { configOf, withServeOptions } from './serve.ts';

/** Longer than any transaction of Millrace's own but a migration. */
const oldTransactionMs = 60_000;

type DoctorFlags = Parameters<typeof configOf>[1];

export function doctorCommand(context: CommandContext): Command {
  const command = withJson(withServeOptions(new Command('doctor')))
    .description('what is wrong with the database, the disk, the clock and the workers, each with its mend')
    .action((flags: DoctorFlags) => doctor(context, flags));
  return withExamples(
    command,
    'doctor',
    'doctor --database postgres://millrace:secret@db.internal/millrace --json',
  );
}

async function doctor(context: CommandContext, flags: DoctorFlags): Promise<void> {
  const diagnosis = await diagnose(configOf(context, flags), context.signal);
  const style = (finding: Finding) => describe(context, finding);
  printResult(context, diagnosis, {
    json: flags.json,
    render: ({ findings }) => findings.map(style).join('\n'),
  });
  if (diagnosis.ok) return;
  const wrong = diagnosis.findings.filter(({ severity }) => severity === 'error' || severity === 'warning');
  throw new Failure(
    `${wrong.length} ${wrong.length === 1 ? 'thing' : 'things'} to mend: ${wrong.map(({ check }) => check).join(', ')}`,
  );
}

type Finding = Diagnosis['findings'][number];

async function diagnose(config: Config, signal: AbortSignal): Promise<Diagnosis> {
  const [{ openDatabase }, { examine }] = await Promise.all([
    import('../../store/database.ts'),
    import('../../doctor/examine.ts'),
  ]);
  const server = await findDatabase(config);
  const database = openDatabase({
    url: server.url,
    name: 'doctor',
    poolSize: 1,
    // Behind a pooler that forgets them it would look at nothing: what asks once prepares nothing.
    namedStatements: false,
  });
  const eventsDatabase =
    config.eventsDatabase === undefined
      ? undefined
      : openDatabase({ url: config.eventsDatabase, name: 'doctor', poolSize: 1 });
  try {
    const { data: dataDir, leaseMs, retentionDays, replicaUrls, namedStatements } = config;
    const settings = {
      databaseUrl: server.url,
      dataDir,
      leaseMs,
      retentionDays,
      replicaUrls,
      writeForwardUrl: isPrimarysRegion(config) ? undefined : config.writeForwardUrl,
      namedStatements,
      eventsDatabase,
      oldTransactionMs,
      connectionsNeeded: connectionsOf(config),
    };
    return await examine({ database, clock: systemClock, signal, ...settings });
  } finally {
    await eventsDatabase?.close();
    await database.close();
    await server.stop?.();
  }
}

/** Where one configuration serves all regions, the servers of this one make the writes themselves. */
function isPrimarysRegion({ flyReplayRegion, flyRegion }: Config): boolean {
  return flyReplayRegion !== undefined && flyReplayRegion === flyRegion;
}

const colors = { error: 'red', warning: 'yellow', info: 'dim', ok: 'green' } as const;
const widest = Math.max(...Object.keys(colors).map((name) => name.length));

function describe({ terminal }: CommandContext, { severity, check, summary, mend }: Finding): string {
  const word = terminal.style(colors[severity], severity.padEnd(widest));
  const line = `${word}  ${check}: ${summary}`;
  return mend === undefined ? line : `${line}\n${' '.repeat(widest)}  mend: ${mend}`;
}
