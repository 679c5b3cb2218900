import { beforeEach, expect, test } from 'vitest';
import { type Backlog, LoadShedding } from './load-shedding.ts';

let backlog: Backlog;
let refused: number;
let shedding: LoadShedding;

beforeEach(() => {
  backlog = { messages: 0, part: 0, oldestMs: 0 };
  refused = 0;
  shedding = new LoadShedding({ backlog: () => backlog, onRefused: (count) => (refused += count) });
});

test('bulk alone is refused, and counted, while messages wait for others', () => {
  backlog = { messages: 2_000, part: 0.04, oldestMs: 1_200 };
  expect(shedding.problemOf('interactive', 3)).toBeUndefined();
  expect(shedding.problemOf('bulk', 3)).toMatchObject({ code: 'overloaded', retryAfterSeconds: 2 });
  expect(refused).toBe(3);
});

test('it begins when the first waits long and ends when it waits shortly, and not between', () => {
  const at = (oldestMs: number) => {
    backlog = { messages: 2_000, part: 0.04, oldestMs };
    return shedding.isOn;
  };
  expect([100, 500, 999].map(at)).toEqual([false, false, false]);
  expect([1_000, 999, 500, 250].map(at)).toEqual([true, true, true, true]);
  expect([249, 500, 999].map(at)).toEqual([false, false, false]);
  expect(at(1_000)).toBe(true);
});

test('few messages that wait for a failover are no overload, however long', () => {
  backlog = { messages: 499, part: 0.01, oldestMs: 14_000 };
  expect(shedding.isOn).toBe(false);
});

test('half of the room is kept for interactive messages, however fast it fills', () => {
  backlog = { messages: 25_000, part: 0.5, oldestMs: 20 };
  expect(shedding.isOn).toBe(true);
  backlog = { messages: 20_000, part: 0.4, oldestMs: 20 };
  expect(shedding.isOn).toBe(false);
});
