import fc from 'fast-check';
import { expect, test } from 'vitest';
import { priorityNumber } from '../../message/fields.ts';
import { Lane } from '../backlog/lane.ts';
import { AccountPace } from './account-pace.ts';

function lane(routeId: number, priority: number = priorityNumber.bulk): Lane {
  return new Lane({ accountId: 1, routeId, priority }, 1);
}

interface Run {
  pace: AccountPace;
  ratePerSecond: number;
  lanes: readonly Lane[];
  batchMax?: number;
  endMs: number;
}

/** Each lane has always more to send, and asks when it was told to; among those of one moment in a fixed order. */
function run({ pace, ratePerSecond, lanes, batchMax = 1, endMs }: Run) {
  pace.change(ratePerSecond, 0);
  const sent: { lane: Lane; atMs: number; messages: number }[] = [];
  for (let nowMs = 0; nowMs < endMs; nowMs++) {
    for (const each of lanes) {
      if (pace.againAtMs(each) > nowMs) continue;
      for (let room = 1; room > 0; ) {
        room = Math.min(batchMax, pace.room(each, { batchMax, nowMs }));
        if (room === 0) continue;
        pace.take(each, room);
        sent.push({ lane: each, atMs: nowMs, messages: room });
      }
    }
  }
  return sent;
}

function sum(sent: { messages: number }[]): number {
  return sent.reduce((total, { messages }) => total + messages, 0);
}

test('however many lanes on however many routes ask, the account stays within its rate and gets nearly all of it', () => {
  const inputs = fc.record({
    ratePerSecond: fc.integer({ min: 5, max: 2_000 }),
    batchMax: fc.constantFrom(1, 7, 500),
    routes: fc.integer({ min: 1, max: 6 }),
  });
  fc.assert(
    fc.property(inputs, ({ ratePerSecond, batchMax, routes }) => {
      const lanes = Array.from({ length: routes }, (_, n) =>
        lane(n, n % 2 ? priorityNumber.bulk : priorityNumber.interactive),
      );
      const sent = run({ pace: new AccountPace(0), ratePerSecond, lanes, batchMax, endMs: 4_000 });
      const burst = Math.max(1, ratePerSecond / 10);
      for (let fromMs = 0; fromMs <= 3_000; fromMs += 250) {
        const within = sent.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + 1_000);
        expect(sum(within)).toBeLessThanOrEqual(ratePerSecond + burst + 1);
      }
      expect(sum(sent)).toBeGreaterThan(4 * ratePerSecond * 0.9 - burst - 1);
    }),
    { numRuns: 40 },
  );
});

test('routes that ask in the same moments get equal parts, whoever asks first', () => {
  const lanes = [lane(1), lane(2), lane(3)];
  const sent = run({ pace: new AccountPace(0), ratePerSecond: 60, lanes, endMs: 5_000 });
  const parts = lanes.map((each) => sum(sent.filter((one) => one.lane === each)));
  expect(Math.max(...parts) - Math.min(...parts)).toBeLessThanOrEqual(2);
});

test('interactive messages go before the bulk of other routes, which gets a tenth all the same', () => {
  const [bulk, interactive] = [lane(1), lane(2, priorityNumber.interactive)];
  const sent = run({
    pace: new AccountPace(0),
    ratePerSecond: 100,
    lanes: [bulk, interactive],
    endMs: 10_000,
  });
  const ofBulk = sum(sent.filter((one) => one.lane === bulk)) / sum(sent);
  expect(ofBulk).toBeGreaterThan(0.05);
  expect(ofBulk).toBeLessThan(0.2);
});

test('a lane that has nothing left to send holds up no other for longer than a moment', () => {
  const pace = new AccountPace(0);
  pace.change(10, 0);
  const [gone, other] = [lane(1), lane(2)];
  expect(pace.room(gone, { batchMax: 1, nowMs: 0 })).toBe(0);
  expect(pace.room(other, { batchMax: 1, nowMs: 0 })).toBe(0);
  const dueMs = pace.againAtMs(gone);
  expect(pace.room(other, { batchMax: 1, nowMs: dueMs })).toBe(0);
  expect(pace.room(other, { batchMax: 1, nowMs: dueMs + 51 })).toBe(1);
});

test('without a share nothing leaves, and a lane asks again within a second', () => {
  const pace = new AccountPace(0);
  pace.change(0, 0);
  const only = lane(1);
  expect(pace.room(only, { batchMax: 1, nowMs: 5_000 })).toBe(0);
  expect(pace.againAtMs(only)).toBe(6_000);
});

test('what did not leave takes nothing from the rate, and is not saved up beyond what a pause allows', () => {
  const [pace, first] = [new AccountPace(0), lane(1)];
  pace.change(100, 0);
  const room = (nowMs: number) => pace.room(first, { batchMax: 10, nowMs });
  expect(room(100)).toBe(10);
  pace.take(first, 10);
  expect(room(100)).toBe(0);
  pace.giveBack(10);
  expect(room(100)).toBe(10);
  pace.giveBack(10);
  expect(room(100)).toBe(10);
});
