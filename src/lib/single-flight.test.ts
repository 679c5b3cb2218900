import { describe, expect, test } from 'vitest';
import { singleFlight } from './single-flight.ts';

/** Work that counts how often it is begun and ends when told to. */
function heldWork() {
  const ends: { resolve: (value: number) => void; reject: (error: Error) => void }[] = [];
  const work = () => new Promise<number>((resolve, reject) => ends.push({ resolve, reject }));
  return { ends, work };
}

describe('single flight', () => {
  test('makes 500 equal calls of the same moment once', async () => {
    const { ends, work } = heldWork();
    const flights = singleFlight();
    const calls = Array.from({ length: 500 }, () => flights.run('a', work));
    ends[0]!.resolve(7);
    expect(new Set(await Promise.all(calls))).toEqual(new Set([7]));
    expect(ends).toHaveLength(1);
  });

  test('keeps calls with different keys apart', async () => {
    const flights = singleFlight({ shareMs: 1_000 });
    expect(await flights.run('a', async () => 1)).toBe(1);
    expect(await flights.run('b', async () => 2)).toBe(2);
  });

  test('shares a result for its time and not longer', async () => {
    let time = 0;
    let made = 0;
    const flights = singleFlight({ shareMs: 100, now: () => time });
    const call = () => flights.run('a', async () => ++made);
    expect(await call()).toBe(1);
    time = 99;
    expect(await call()).toBe(1);
    time = 100;
    expect(await call()).toBe(2);
  });

  test('shares a failure with those who wait for it, and tries again for the next', async () => {
    const { ends, work } = heldWork();
    const flights = singleFlight({ shareMs: 1_000 });
    const both = [flights.run('a', work), flights.run('a', work)];
    ends[0]!.reject(new Error('away'));
    for (const outcome of await Promise.allSettled(both)) expect(outcome.status).toBe('rejected');
    const next = flights.run('a', work);
    ends[1]!.resolve(3);
    expect(await next).toBe(3);
  });

  test('keeps no more results than it may', async () => {
    let made = 0;
    const flights = singleFlight({ shareMs: 1_000, keptMax: 2, now: () => 0 });
    const call = (key: string) => flights.run(key, async () => ++made);
    await call('a');
    await call('b');
    await call('c');
    await call('a');
    expect(made).toBe(4);
    await call('c');
    expect(made).toBe(4);
  });
});
