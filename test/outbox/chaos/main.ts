import { parseArgs } from 'node:util';
import { startEmbedded } from '../../../src/embedded/start-embedded.ts';
import { migrate } from '../../../src/store/migrate.ts';
import { databaseUrl } from '../../support/database-url.ts';
import { startMariadb } from '../../support/mariadb.ts';
import { runCommand } from '../../support/run-command.ts';
import { killProcesses } from '../../support/start-process.ts';
import { type AppDatabase, mariadbApp, postgresApp } from '../app-database.ts';
import { runOutboxChaos } from './run-outbox-chaos.ts';

const usage = `npm run outbox-chaos [-- --kills N --rows N --database postgres|mariadb --seed N --json]

An application stages N messages (1,000,000) in its own database, in transactions that commit late and roll back, while
two drainers and the server are killed N times (200). Ends with the books; exit status 0 only when nothing is lost,
doubled, sent without its commit, or out of the order of its key.
`;

await runCommand({ name: 'outbox-chaos', usage, readOptions, run });

interface Options {
  kills: number;
  rows: number;
  seed: number;
  database: 'postgres' | 'mariadb';
  json: boolean;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '200' },
      rows: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      database: { type: 'string', default: 'postgres' },
      json: { type: 'boolean', default: false },
    },
  });
  const { database, json } = values;
  const [kills, rows, seed] = [Number(values.kills), Number(values.rows), Number(values.seed)];
  if (![kills, rows, seed].every(Number.isInteger) || kills < 1 || rows < 1) return undefined;
  if (database !== 'postgres' && database !== 'mariadb') return undefined;
  return { kills, rows, seed, database, json };
}

async function run({ database, json, ...options }: Options, directory: string): Promise<boolean> {
  // What dies here are processes: none of it has to outlive a crash of the machine.
  const postgres = await startEmbedded({ dataDir: directory, settings: { fsync: false } });
  const mariadb = database === 'mariadb' ? await startMariadb() : undefined;
  try {
    // The server migrates too, but not under a clock.
    await migrate({ connectionString: postgres.url });
    const app: AppDatabase = mariadb
      ? mariadbApp(await mariadb.createDatabase('app'))
      : await makePostgresApp(postgres.url);
    const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
    const report = await runOutboxChaos({ ...options, app, databaseUrl: postgres.url, onProgress });
    process.stdout.write(`${JSON.stringify(report, null, json ? 0 : 2)}\n`);
    return report.broken.length === 0;
  } finally {
    killProcesses();
    await mariadb?.stop();
    await postgres.stop();
  }
}

async function makePostgresApp(url: string): Promise<AppDatabase> {
  const connection = await postgresApp(url).connect();
  await connection.query('CREATE DATABASE app');
  await connection.end();
  return postgresApp(databaseUrl(url, 'app'));
}
