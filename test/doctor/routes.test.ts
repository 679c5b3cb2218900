import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DoctorContext, Finding } from '../../src/doctor/check.ts';
import { failedMessages } from '../../src/doctor/checks/failed-messages.ts';
import { receipts } from '../../src/doctor/checks/receipts.ts';
import { routes } from '../../src/doctor/checks/routes.ts';
import { spentAccounts } from '../../src/doctor/checks/spent-accounts.ts';
import { uncertainMessages } from '../../src/doctor/checks/uncertain-messages.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { stateNumber } from '../../src/message/state.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { noBatch } from '../../src/store/statistics/add-fold.ts';
import { ensureStatisticsPartitions } from '../../src/store/statistics/statistics-partitions.ts';
import { insertChunk } from '../delivery/mill.ts';
import { recordOutcome, storeBatch } from '../reading/store-batch.ts';
import { createTestDatabase } from '../support/postgres.ts';

let database: Database;
let context: DoctorContext;

beforeEach(async () => {
  const { url } = await createTestDatabase();
  database = openDatabase({ url, poolSize: 2, name: 'doctor test' });
  context = {
    database,
    databaseUrl: url,
    clock: systemClock,
    dataDir: tmpdir(),
    leaseMs: 1_000,
    retentionDays: 56,
    connectionsNeeded: 13,
    replicaUrls: [],
    namedStatements: true,
    oldTransactionMs: 50,
    signal: new AbortController().signal,
  };
  await run(
    `INSERT INTO route (id, name, connector, options, concurrency, retry, on_uncertain)
      VALUES (1, 'sms', 'http', '{}', 1, '{}', 'hold'), (2, 'mail', 'http', '{}', 1, '{}', 'hold')`,
  );
});

afterEach(() => database.close());

async function run(text: string, values: unknown[] = []): Promise<void> {
  await database.query({ name: '', text }, values);
}

const workerIds = ['7d1f6f5e-1111-4222-8333-444455556666', '7d1f6f5e-1111-4222-8333-444455557777'];

/** What a worker tells of its lanes on route `sms`, fresh for as long as the test takes. */
async function report(worker: number, told: Record<string, unknown>): Promise<void> {
  const id = workerIds[worker];
  await run(
    `INSERT INTO worker (id, beat, host, pid) VALUES ($1, 1, 'here', 4711) ON CONFLICT (id) DO NOTHING`,
    [id],
  );
  const lane = {
    accountId: 1,
    routeId: 1,
    priority: 1,
    settled: 0,
    sentPerSecond: 0,
    concurrency: 1,
    ...told,
  };
  await run(
    `INSERT INTO worker_report (worker, at, lanes) VALUES ($1, now() + interval '1 hour', $2)
      ON CONFLICT (worker) DO UPDATE SET lanes = excluded.lanes`,
    [id, JSON.stringify([lane])],
  );
}

async function look(check = routes): Promise<Finding[]> {
  const findings = await check.run(context);
  for (const { severity, mend } of findings) if (severity !== 'ok') expect(mend).toBeTruthy();
  return findings;
}

const lastError = { code: 'connection_refused', at: new Date().toISOString() };

test('a route whose breaker is open is told with its last error and how many messages wait, and is well without any', async () => {
  await report(0, { breaker: 'open', failing: 20, lastError });
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
  await insertChunk(database, { count: 7, dueInMs: 60_000 });
  expect(await look()).toEqual([
    {
      severity: 'error',
      summary: expect.stringMatching(
        /^route sms sends nothing: .*breaker is open.*connection_refused.*7 messages wait/,
      ),
      mend: expect.stringContaining('millrace route test sms'),
    },
  ]);
  await report(0, { breaker: 'closed', failing: 0, lastError });
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
});

test('a route of which every request fails is told without a breaker, unless another worker gets through', async () => {
  await insertChunk(database, { count: 2 });
  await report(0, { breaker: null, failing: 2, lastError: { ...lastError, code: 'provider_rejected' } });
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
  await report(1, { breaker: null, failing: 3, lastError: null });
  expect(await look()).toMatchObject([
    {
      severity: 'error',
      summary: expect.stringMatching(/last 5 requests.*provider_rejected.*2 messages wait/),
    },
  ]);
  await report(1, { breaker: null, failing: 0, lastError: null });
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
});

test('of a webhook route that fails the endpoints are looked at, for it has no provider to try', async () => {
  await run(`UPDATE route SET connector = 'webhook', name = 'callbacks' WHERE name = 'sms'`);
  await insertChunk(database, { count: 2 });
  await report(0, { breaker: null, failing: 5, lastError });
  const [finding] = await look();
  expect(finding).toMatchObject({ severity: 'error', summary: expect.stringMatching(/^route callbacks/) });
  expect(finding!.mend).toMatch(/millrace webhook list .*millrace message find --to NAME/);
  expect(finding!.mend).not.toContain('route test');
});

/** What is in the statistics of so many minutes ago, of all accounts. */
async function count(
  routeId: number,
  ends: { minutesAgo?: number; sent: number; failed: number },
): Promise<void> {
  const at = new Date(Date.now() - (ends.minutesAgo ?? 1) * 60_000);
  await run(
    `INSERT INTO statistics_minute (at, accepted, attempts, sent, delivered, failed, expired, canceled, suppressed, uncertain,
        account_id, route_id, kind, batch, tag, waits)
      VALUES (date_trunc('minute', $1::timestamptz), 0, 0, $2, 0, $3, 0, 0, 0, 0, 0, $4, 0, $5, '', '')`,
    [at, ends.sent, ends.failed, routeId, noBatch],
  );
}

test('a route that fails a fifth of its messages is told, and one with a few bad numbers is not', async () => {
  const times = [0, 30].map((minutes) => Date.now() - minutes * 60_000);
  await ensureStatisticsPartitions(database, { step: 'minute', times });
  expect(await look(failedMessages)).toMatchObject([{ severity: 'ok' }]);
  await count(1, { sent: 100, failed: 19 });
  await count(2, { sent: 1_000, failed: 200 });
  await count(2, { minutesAgo: 30, sent: 0, failed: 5_000 });
  expect(await look(failedMessages)).toMatchObject([{ severity: 'ok' }]);
  await count(1, { minutesAgo: 2, sent: 10, failed: 21 });
  expect(await look(failedMessages)).toEqual([
    {
      severity: 'warning',
      summary: 'route sms failed 40 of 150 messages (27 %) for good in the last 15 minutes',
      mend: expect.stringContaining('millrace batch errors'),
    },
  ]);
});

test('a route whose window is closed is told once messages are due on it, and not one whose window is open', async () => {
  const clock = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
  const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
  const windowed = (hours: number) =>
    run(`UPDATE route SET send_window = $1 WHERE name = 'mail'`, [
      JSON.stringify({ days, from: clock(hours), to: clock(hours + 2), timeZone: 'UTC' }),
    ]);
  await windowed(4);
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
  await insertChunk(database, { routeId: 2, count: 9 });
  const [finding] = await look();
  expect(finding).toMatchObject({ severity: 'info' });
  expect(finding!.summary).toMatch(
    /^the send window of route mail is closed until .*Z, and 9 messages wait for it$/,
  );
  await windowed(-1);
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
});

test('a paused route is told once messages are due on it', async () => {
  await run(`UPDATE route SET paused = true WHERE name = 'mail'`);
  await insertChunk(database, { routeId: 2, dueInMs: 3_600_000 });
  await insertChunk(database, { routeId: 1 });
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
  await insertChunk(database, { routeId: 2, count: 600 });
  expect(await look()).toEqual([
    {
      severity: 'warning',
      summary: expect.stringMatching(/^route mail is paused, and 600 messages are due on it/),
      mend: expect.stringContaining('millrace route resume mail'),
    },
  ]);
});

test('uncertain messages are told by account until they are settled, those of batches apart', async () => {
  expect(await look(uncertainMessages)).toMatchObject([{ severity: 'ok' }]);
  const single = { id: await insertChunk(database, { count: 3 }), count: 3 };
  await recordOutcome(database, {
    batch: null,
    chunk: single,
    state: stateNumber.uncertain,
    offsets: [0, 2],
  });
  const { id: batch, chunks } = await storeBatch(database, {
    accountId: 1,
    routeId: 1,
    lines: Array.from({ length: 4 }, () => '{"to":"+31612345678","body":"x"}'),
  });
  const [chunk] = chunks;
  await recordOutcome(database, { batch, chunk: chunk!, state: stateNumber.uncertain });
  const singly = {
    severity: 'warning',
    summary: expect.stringMatching(/^2 messages of account default .*singly/),
    mend: expect.stringContaining('millrace message find --state uncertain'),
  };
  const inBatches = {
    severity: 'warning',
    summary: expect.stringMatching(/^4 messages of account default .* 1 batch /),
    mend: expect.stringContaining(`millrace batch resolve ${batch}`),
  };
  expect(await look(uncertainMessages)).toEqual([singly, inBatches]);
  // A batch that is done carries its counts.
  await run(`UPDATE batch SET done_at = now(), counts = '{"accepted": 4, "uncertain": 4}'`);
  expect(await look(uncertainMessages)).toEqual([singly, inBatches]);

  await recordOutcome(database, { batch: null, chunk: single, state: stateNumber.sent, offsets: [0, 2] });
  expect(await look(uncertainMessages)).toEqual([inBatches]);
  await run(`UPDATE batch SET counts = '{"accepted": 4, "uncertain": 0, "sent": 4}'`);
  expect(await look(uncertainMessages)).toMatchObject([{ severity: 'ok' }]);
});

test('receipts that nobody matches are told of, and those that no message was found for', async () => {
  expect(await look(receipts)).toMatchObject([{ severity: 'ok' }]);
  const row = "1, 5, 0, 40, gen_random_uuid(), '[]'";
  await run(`INSERT INTO receipt (route_id, shard, codec, count, id, payload) VALUES (${row})`);
  expect(await look(receipts)).toMatchObject([{ severity: 'ok' }]);
  await run("UPDATE receipt SET due_at = now() - interval '2 minutes'");
  await run(`INSERT INTO unknown_receipt (route_id, shard, codec, count, id, payload) VALUES (${row})`);
  await run(
    "INSERT INTO unknown_receipt (at, route_id, shard, codec, count, id, payload) SELECT now() - interval '2 days', 2, 5, 0, 7, id, '' FROM receipt",
  );
  expect(await look(receipts)).toMatchObject([
    {
      severity: 'error',
      summary: expect.stringMatching(/^40 receipts/),
      mend: expect.stringContaining('events'),
    },
    { severity: 'warning', summary: expect.stringContaining('40 receipts that came to route sms') },
  ]);
});

test('an account that has used up its credit or its day is named, with what gives it more', async () => {
  await run(
    `INSERT INTO account (id, name, limits, prepaid) VALUES
      (11, 'day', '{"messagesPerDay": 5}', NULL), (12, 'before', '{"partsPerDay": 5}', NULL),
      (13, 'parts', '{"partsPerDay": 5}', NULL), (14, 'closed', '{"messagesPerDay": 0}', NULL),
      (15, 'poor', '{}', '{"currency": "EUR", "messageMicros": 50000, "partMicros": 10000}'),
      (16, 'rich', '{}', '{"currency": "EUR", "messageMicros": 50000}'),
      (17, 'new', '{}', '{"currency": "EUR", "messageMicros": 50000}'), (18, 'free', '{}', NULL)`,
  );
  await run(
    `INSERT INTO account_meter (shard, account_id, day, messages, parts, balance_micros)
      SELECT id % 1024, id, (now() AT TIME ZONE 'UTC')::date - old, 5, 5, balance FROM (VALUES
        (11, 0, 0), (12, 1, 0), (13, 0, 0), (15, 0, 59999), (16, 0, 50000), (18, 0, 0)) AS meter (id, old, balance)`,
  );
  const findings = await spentAccounts.run(context);
  expect(findings.map(({ severity, mend }) => [severity, mend])).toEqual([
    ['info', expect.stringContaining('account set 11 --messages-per-day')],
    ['info', expect.stringContaining('account set 13 --parts-per-day')],
    ['info', expect.stringContaining('account credit 15')],
    ['info', expect.stringContaining('account credit 17')],
  ]);
  expect(findings[2]!.summary).toContain('0.059999 EUR');
  await run(`UPDATE account SET deleted_at = now() WHERE id > 10`);
  expect(await spentAccounts.run(context)).toMatchObject([{ severity: 'ok' }]);
  await run(
    `INSERT INTO account (id, name, limits, prepaid)
      SELECT n, 'many ' || n, '{}', '{"currency": "EUR", "messageMicros": 1}' FROM generate_series(21, 40) AS n`,
  );
  const many = await spentAccounts.run(context);
  expect(many).toHaveLength(11);
  expect(many[10]!.summary).toContain('10 more accounts');
});
