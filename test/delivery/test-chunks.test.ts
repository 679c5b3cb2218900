import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
});

afterEach(async () => {
  await mill.close();
});

test('messages of test keys take turns with those of other accounts, and reach nobody', async () => {
  const count = 400;
  mill.routes.set(1, { ...testRoute, concurrency: 16, paused: true });
  for (let n = 0; n < 16; n++) {
    await insertChunk(mill.database, { accountId: 1, count, test: true });
    if (n % 4 === 0) await insertChunk(mill.database, { accountId: 2, count });
  }
  const worker = mill.worker();
  const simulatedAtSends: number[] = [];
  mill.respond = () => {
    simulatedAtSends.push(worker.stats().counts.sent);
    return { kind: 'sent' };
  };
  worker.start();
  // Both lanes are there when the first turn is taken.
  await until(() => worker.stats().lanes.length === 2);
  mill.routes.set(1, { ...testRoute, concurrency: 16 });
  mill.changeControl();
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(mill.received).toHaveLength(4 * count);
  expect(new Set(mill.received.map(({ accountId }) => accountId))).toEqual(new Set([2]));
  expect(worker.stats().counts).toMatchObject({ sent: 20 * count, attempts: 4 * count, requests: 4 * count });
  // By then about as many attempts were simulated as messages sent, and what was there before the others were loaded; not all 6,400 of them.
  const simulated = simulatedAtSends[1_500]! - 1_500;
  expect(simulated).toBeLessThan(12 * count);
});

test('what becomes of a message whose request cannot be formed is told of the try, and it is tried again where that may help', async () => {
  const answers = [
    { kind: 'retry', error: { code: 'unknown_yet', detail: 'not known yet' } },
    { kind: 'rejected', error: { code: 'unsendable', detail: 'no subject' } },
  ] as const;
  mill.rehearse = ({ attempt }) => answers[attempt - 1]!;
  mill.routes.set(1, {
    ...testRoute,
    onUncertain: 'hold',
    retry: { ...testRoute.retry, backoffMinMs: 1, backoffMaxMs: 2 },
  });
  await insertChunk(mill.database, { count: 3, test: true });
  const worker = mill.worker();
  worker.start();
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(worker.stats().counts).toMatchObject({ retried: 3, failed: 3, attempts: 0, requests: 0 });
  expect(mill.received).toEqual([]);
});
