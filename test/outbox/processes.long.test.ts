import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { stage } from '../../src/client/outbox.ts';
import { findProgram } from '../support/find-program.ts';
import { startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { runCli } from '../support/run-cli.ts';
import { startPgBouncer } from '../support/start-pgbouncer.ts';
import { builtMain } from '../support/start-process.ts';
import { type AppDatabase, mariadbApp, postgresApp } from './app-database.ts';
import { adminKey, type OutboxSite, startOutboxSite } from './outbox-site.ts';
import { good } from './outbox-suite.ts';

let postgresUrl: string;
let mariadb: TestMariadb | undefined;
let site: OutboxSite;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  postgresUrl = (await createTestDatabase({ empty: true })).url;
  if (findProgram('mariadbd')) mariadb = await startMariadb();
  site = await startOutboxSite();
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

afterAll(async () => {
  await site?.stop();
  await mariadb?.stop();
});

test('of two drainers on PostgreSQL one works, and the other takes over when it is killed', () =>
  takesOver(postgresApp(postgresUrl)));

needs('mariadbd', 'mariadb-install-db')(
  'of two drainers on MariaDB one works, and the other takes over when it is killed',
  async () => takesOver(mariadbApp(await mariadb!.createDatabase('takeover'))),
);

async function takesOver(app: AppDatabase): Promise<void> {
  const first = startDrainer(app, '--create');
  await first.says('working');
  const second = startDrainer(app);
  await second.says('standing by');
  const connection = await app.connect();
  const name = `takeover-${app.dialect}`;
  await stage(connection.staging, [good(`${name}-1`), good(`${name}-2`)] as never);
  await arrived(`${name}-`, 2);
  const once = await millrace(app, '--once');
  expect([once.status, once.err]).toEqual([1, expect.stringContaining('another drainer works')]);
  expect(second.said).not.toContain('working');

  first.child.kill('SIGKILL');
  await stage(connection.staging, good(`${name}-3`) as never);
  await second.says('working');
  await arrived(`${name}-`, 3);
  await connection.end();
  second.child.kill('SIGTERM');
  expect(await second.exited).toBe(0);
  expect(site.sink.doubled).toEqual([]);
}

needs('pgbouncer')('a pooler that gives each transaction another session is refused', async () => {
  const pooler = await startPgBouncer(postgresUrl);
  try {
    const { status, err } = await runCli(['outbox', '--once', '--database', pooler.url], {
      MILLRACE_URL: site.server.url,
      MILLRACE_KEY: adminKey,
    });
    expect([status, err]).toEqual([1, expect.stringContaining('pooler in transaction mode')]);
  } finally {
    await pooler.stop();
  }
});

test('what an operator has to mend ends the command with the mend', async () => {
  const env = { MILLRACE_URL: site.server.url, MILLRACE_KEY: adminKey };
  const absent = await runCli(['outbox', '--once', '--database', postgresUrl, '--table', 'absent'], env);
  expect([absent.status, absent.err]).toEqual([1, expect.stringContaining('--create')]);
  const password = postgresUrl.replace(/\/\/[^@]*@/, '//nobody:wrong@');
  const refused = await runCli(['outbox', '--once', '--database', password], env);
  expect([refused.status, refused.err]).toEqual([1, expect.stringContaining('--database names user')]);
  const none = await runCli(['outbox'], env);
  expect([none.status, none.err]).toEqual([2, expect.stringContaining('MILLRACE_OUTBOX_DATABASE_URL')]);
  const other = await runCli(['outbox', '--database', 'redis://127.0.0.1/'], env);
  expect([other.status, other.err]).toEqual([1, expect.stringContaining('mariadb://')]);
  const named = await runCli(['outbox', '--table', 'a;b', '--database', postgresUrl], env);
  expect([named.status, named.err]).toEqual([2, expect.stringContaining('letters, digits')]);
});

test('a wrong key ends the command, and the messages are kept', async () => {
  const app = postgresApp(postgresUrl);
  const connection = await app.connect();
  const table = 'wrong_key';
  const args = ['outbox', '--once', '--create', '--database', postgresUrl, '--table', table, '--json'];
  const env = { MILLRACE_URL: site.server.url };
  expect((await runCli(args, { ...env, MILLRACE_KEY: adminKey })).status).toBe(0);
  await stage(connection.staging, good('wrong-key') as never, { table });
  const wrong = await runCli(args, { ...env, MILLRACE_KEY: 'not-a-key' });
  expect([wrong.status, wrong.err]).toEqual([1, expect.stringContaining('unauthorized')]);
  const right = await runCli(args, { ...env, MILLRACE_KEY: adminKey });
  expect(right.status).toBe(0);
  await arrived('wrong-key', 1);
  await connection.end();
});

test('the printed schema makes an outbox', async () => {
  const { out, status } = await runCli(['outbox', '--print-schema', 'postgres', '--table', 'printed']);
  expect(status).toBe(0);
  const connection = await postgresApp(postgresUrl).connect();
  await connection.query(out);
  await stage(connection.staging, good('printed') as never, { table: 'printed' });
  await connection.end();
  const { status: moved } = await runCli(
    ['outbox', '--once', '--database', postgresUrl, '--table', 'printed'],
    { MILLRACE_URL: site.server.url, MILLRACE_KEY: adminKey },
  );
  expect(moved).toBe(0);
  await arrived('printed', 1);
});

function millrace(app: AppDatabase, ...args: string[]) {
  return runCli(['outbox', '--database', app.url, ...args], {
    MILLRACE_URL: site.server.url,
    MILLRACE_KEY: adminKey,
  });
}

async function arrived(prefix: string, count: number): Promise<void> {
  const here = () => site.sink.arrivals.filter(({ ref }) => ref.startsWith(prefix)).length;
  await expect.poll(here).toBe(count);
}

/** As users run it, with its log as JSON lines. */
function startDrainer(app: AppDatabase, ...args: string[]) {
  const child = spawn(process.execPath, [builtMain(), 'outbox', '--json', '--stop-with-parent', ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      MILLRACE_OUTBOX_DATABASE_URL: app.url,
      MILLRACE_URL: site.server.url,
      MILLRACE_KEY: adminKey,
    },
  });
  running.add(child);
  const said: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    said.push((JSON.parse(line) as { msg: string }).msg);
  });
  return {
    child,
    said,
    exited: once(child, 'exit').then(([status]) => status as number | null),
    says: (message: string) => expect.poll(() => said).toContain(message),
  };
}
