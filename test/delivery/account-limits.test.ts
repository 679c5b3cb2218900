import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, testRoute, until } from './mill.ts';

const [limited, free] = [2, 3];
let mill: Mill;
/** When each message was handed over, by account. */
let atMs: Map<number, number[]>;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { poolSize: 12 });
  atMs = new Map([
    [limited, []],
    [free, []],
  ]);
  mill.respond = async ({ fields }) => {
    atMs.get(Number(fields.ref))!.push(systemClock.monotonicMs());
    await sleep(5);
    return { kind: 'sent' };
  };
});

afterEach(async () => {
  await mill.close();
});

async function insertFor(accountId: number, chunks: number, routeId = 1): Promise<void> {
  const lines = Array.from({ length: 50 }, () => `{"to":"+31612345678","body":"hi","ref":"${accountId}"}`);
  for (let n = 0; n < chunks; n++) await insertChunk(mill.database, { accountId, routeId, lines });
}

/** The most messages of an account within any second from a moment on. */
function mostWithinSecond(accountId: number, sinceMs = 0): number {
  const times = atMs.get(accountId)!.filter((each) => each >= sinceMs);
  let most = 0;
  for (let from = 0, to = 0; to < times.length; to++) {
    while (times[to]! - times[from]! > 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

test('two workers keep one account within its limit on two routes, and another on the same routes goes on unharmed', async () => {
  mill.routes.set(1, { ...testRoute, concurrency: 4 });
  mill.routes.set(2, { ...testRoute, id: 2, name: 'other', concurrency: 4 });
  mill.accountLimits.set(limited, { ratePerSecond: 50 });
  for (const worker of [mill.worker(), mill.worker()]) worker.start();
  await insertFor(limited, 20);
  await insertFor(limited, 20, 2);
  await until(() => atMs.get(limited)!.length > 20);
  await insertFor(free, 20);
  await until(() => atMs.get(free)!.length === 1_000);
  // The connections were never the limited account's: it waits without one.
  expect(atMs.get(limited)!.length).toBeLessThan(1_000);
  expect(mostWithinSecond(limited)).toBeLessThanOrEqual(50 * 1.1 + 2);
  expect(mostWithinSecond(free)).toBeGreaterThan(100);

  mill.accountLimits.set(limited, { ratePerSecond: 500 });
  mill.changeControl();
  await until(() => atMs.get(limited)!.length === 2_000);
  expect(mostWithinSecond(limited)).toBeGreaterThan(100);
  expect(mostWithinSecond(limited)).toBeLessThanOrEqual(500 * 1.1 + 2);
});

test('an account whose limit is taken away sends what waits, and one that gets a limit keeps to it at once', async () => {
  mill.accountLimits.set(limited, { ratePerSecond: 0.01 });
  mill.worker().start();
  await insertFor(limited, 2);
  await insertFor(free, 2);
  await until(() => atMs.get(free)!.length === 100);
  expect(atMs.get(limited)!.length).toBeLessThanOrEqual(1);
  mill.accountLimits.delete(limited);
  mill.changeControl();
  await until(() => atMs.get(limited)!.length === 100);
  mill.accountLimits.set(limited, { ratePerSecond: 20 });
  mill.changeControl();
  const changedAtMs = systemClock.monotonicMs();
  await insertFor(limited, 1);
  await until(() => atMs.get(limited)!.length > 120);
  expect(mostWithinSecond(limited, changedAtMs)).toBeLessThanOrEqual(20 * 1.1 + 1);
});
