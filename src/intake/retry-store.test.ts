import { expect, test } from 'vitest';
import { type Clock, systemClock } from '../lib/clock.ts';
import { DatabaseError } from '../store/database.ts';
import { faultOf } from '../store/fault.ts';
import { retryStore } from './retry-store.ts';

/** What a Patroni cluster was measured to take. */
const failoverMs = 13_000;

function away(): DatabaseError {
  const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  return new DatabaseError(faultOf(error), error);
}

function steppedClock(): Clock {
  let nowMs = 0;
  return {
    ...systemClock,
    monotonicMs: () => nowMs,
    async sleep(ms) {
      nowMs += ms;
    },
  };
}

test('a write outlasts a failover', async () => {
  const clock = steppedClock();
  const write = async () => {
    if (clock.monotonicMs() < failoverMs) throw away();
    return 'stored';
  };
  expect(await retryStore(write, { clock })).toBe('stored');
});

test('a write is given up before its sender gives up', async () => {
  const clock = steppedClock();
  await expect(retryStore(() => Promise.reject(away()), { clock })).rejects.toThrow('ECONNREFUSED');
  expect(clock.monotonicMs()).toBeLessThan(30_000);
});

test('what trying again does not mend is not tried again', async () => {
  let tries = 0;
  const write = async () => {
    tries++;
    const error = Object.assign(new Error('no such table'), { code: '42P01' });
    throw new DatabaseError(faultOf(error), error);
  };
  await expect(retryStore(write, { clock: steppedClock() })).rejects.toThrow('no such table');
  expect(tries).toBe(1);
});
