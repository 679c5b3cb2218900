import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DeliveryHost, startDelivery } from '../../src/delivery/processes/delivery-host.ts';
import { DeliveryTally } from '../../src/delivery/processes/delivery-tally.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { testSecretKey } from '../support/test-secrets.ts';
import { insertChunk, pendingCount, until } from './mill.ts';

let url: string;
let database: Database;
let provider: Server;
let host: DeliveryHost | undefined;
const keys: string[] = [];
const counted = { sent: 0, attempts: 0 };

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 2, name: 'host test' });
  provider = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'] as string);
    request.resume().on('end', () => response.end('{}'));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  await database.query(
    {
      name: 'test_route',
      text: `INSERT INTO route (id, name, connector, options, concurrency, retry, on_uncertain)
        VALUES (1, 'sms', 'http', $1, 8, $2, 'resend')`,
    },
    [
      JSON.stringify({ url: `http://127.0.0.1:${port}/`, allowPrivate: true }),
      JSON.stringify({ attemptsMax: 3, backoffMinMs: 10, backoffMaxMs: 100, expireAfterMs: 60_000 }),
    ],
  );
});

afterEach(async () => {
  await host?.stop({ deadlineMs: 5_000 });
  await database.close();
  provider.closeAllConnections();
  await new Promise((resolve) => provider.close(resolve));
});

function start(): Promise<DeliveryHost> {
  const tally = new DeliveryTally({
    attemptAnswered: ({ messages }) => {
      counted.attempts += messages;
    },
    attemptFailed() {},
    firstAttemptsMade() {},
    outcomesRecorded: ({ state, count }) => {
      if (state === 'sent') counted.sent += count;
    },
    deliveryState: () => {},
    receiptsTold() {},
    databaseFault: () => {},
    telemetryDropped() {},
  });
  return startDelivery({
    databaseUrl: url,
    poolSize: 4,
    namedStatements: true,
    leaseMs: 5_000,
    secretKeys: testSecretKey,
    logLevel: 'warn',
    onReport: (report) => tally.take(0, report),
    onFailure: (error) => {
      throw error;
    },
  });
}

test('a thread of the process delivers what is pending and what it gets word of, and reports', async () => {
  await insertChunk(database, { count: 40 });
  host = await start();
  await until(async () => (await pendingCount(database)) === 0);
  const beganAtMs = Number(process.hrtime.bigint() / 1_000n) / 1_000;
  const line = '{"to":"+31612345678"}';
  const chunkId = await insertChunk(database, { lines: [line], priority: 0, shard: 5 });
  const key = { shard: 5, chunkId, accountId: 1, routeId: 1, priority: 0, batch: null, count: 1 };
  host.push([{ ...key, beganAtMs, ...encodeChunk(Buffer.from(line)) }]);
  await until(async () => (await pendingCount(database)) === 0);
  await host.stop({ deadlineMs: 5_000 });
  expect(new Set(keys).size).toBe(41);
  expect(keys).toHaveLength(41);
  expect(keys).toContain(chunkId);
  expect(counted).toEqual({ sent: 41, attempts: 41 });
  const { rows } = await database.query({
    name: 'test_owned',
    text: 'SELECT count(*)::int AS owned FROM shard_owner WHERE worker IS NOT NULL',
  });
  expect(rows).toEqual([{ owned: 0 }]);
});
