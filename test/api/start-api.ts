import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientLimits } from '../../src/api/client-limits.ts';
import type { ApiContext, ApiInstance } from '../../src/api/context.ts';
import { ensureAdminKey } from '../../src/api/ensure-admin-key.ts';
import { createKeyFreer } from '../../src/api/key-freer.ts';
import { createLifecycle } from '../../src/api/lifecycle.ts';
import { buildServer, stopServer } from '../../src/api/server.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { ReceiptIntake } from '../../src/events/receipts/receipt-intake.ts';
import { AcceptedCounts } from '../../src/intake/accepted-counts.ts';
import { createIntake } from '../../src/intake/intake.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLog } from '../../src/observe/log.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { reportIntake } from '../../src/services/report-intake.ts';
import { createControlCache } from '../../src/store/control/control-cache.ts';
import { openDatabase } from '../../src/store/database.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { testSecrets } from '../support/test-secrets.ts';

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  json: any;
}

interface CallOptions {
  key?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface TestApi {
  url: string;
  adminKey: string;
  databaseUrl: string;
  app: ApiInstance;
  context: ApiContext;
  /** One request, with the administrator's key unless another (or null for none) is given. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A new account with a key of these scopes. */
  makeAccount(name: string, scopes: string[]): Promise<{ id: string; key: string }>;
  stop(): Promise<void>;
}

const stopDeadlineMs = 2_000;

/** The API on a database and a port of its own, without deliveries. */
export async function startApi(
  overrides: Partial<ApiContext> & { databaseUrl?: string; pollMs?: number } = {},
): Promise<TestApi> {
  const { pollMs, databaseUrl = (await createTestDatabase()).url, ...contextOverrides } = overrides;
  const database = openDatabase({ url: databaseUrl, poolSize: 4, name: 'api test' });
  const directory = await mkdtemp(join(tmpdir(), 'millrace-api-'));
  const admin = await ensureAdminKey(database, { path: join(directory, 'admin.key') });
  await rm(directory, { recursive: true });
  const { secrets = testSecrets } = overrides;
  const control = createControlCache({ database, secrets, ...(pollMs !== undefined && { pollMs }) });
  await control.start();
  const metrics = createMetrics();
  const range = await partitionRange(database);
  const accepted = new AcceptedCounts();
  const intakeReport = reportIntake({
    ...{ database, accepted, clock: systemClock },
    // There are tests that take the database away.
    onError() {},
  });
  intakeReport.start();
  const intake = createIntake({
    accepted,
    database,
    clock: systemClock,
    mint: createIdMint({ nowMs: () => Date.now(), range: () => range }),
    nowMs: Date.now,
    connections: 4,
    retentionDays: 56,
    control,
    hints: { push() {}, released() {} },
    metrics,
  });
  const lifecycle = createLifecycle();
  const log = createLog({ level: 'silent' });
  const context: ApiContext = {
    database,
    control,
    secrets,
    requestsPerSecond: 10_000,
    clientLimits,
    connectors,
    intake,
    keptBodies: tmpdir(),
    receipts: new ReceiptIntake({ database, clock: systemClock }),
    lifecycle,
    keyFreer: createKeyFreer({ clock: systemClock, log, signal: lifecycle.signal }),
    log,
    metrics,
    ...contextOverrides,
  };
  const app = buildServer(context);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const adminKey = admin.kind === 'made' ? admin.key : '';

  async function call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { key = adminKey, body, headers = {} } = options;
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /\/(problem\+)?json\b/.test(response.headers.get('content-type') ?? '') && text !== '';
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  return {
    url,
    adminKey,
    databaseUrl,
    app,
    context,
    call,
    async makeAccount(name, scopes) {
      const account = await call('POST', '/v1/accounts', { body: { name } });
      const key = await call('POST', '/v1/keys', { body: { accountId: account.json.id, scopes } });
      return { id: account.json.id, key: key.json.key };
    },
    async stop() {
      context.lifecycle.beginStop();
      await intake.uploads.stop();
      await stopServer(app, { context, deadlineMs: stopDeadlineMs });
      await intake.stop();
      await intakeReport.stop();
      await control.stop();
      await database.close();
    },
  };
}
