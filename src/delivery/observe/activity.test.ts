import { expect, test } from 'vitest';
import { stateNumber } from '../../message/state.ts';
import { errorMinutes } from '../../store/delivery/worker-reports.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { OutcomeGroup } from '../outcomes/outcome-groups.ts';
import { Activity } from './activity.ts';

const lane = { accountId: 7, routeId: 3 };
const failed = { state: stateNumber.failed, errorCode: 'rate_limited' } as const;

test('what became of messages is counted by account and route', () => {
  const activity = new Activity();
  activity.recorded([
    outcomes(lane, { state: stateNumber.sent }),
    outcomes(lane, { ...failed, state: stateNumber.retrying }),
    outcomes({ accountId: 8, routeId: 3 }, { state: stateNumber.sent }),
  ]);
  activity.recorded([
    outcomes(lane, failed),
    outcomes(lane, { state: stateNumber.delivered, count: 5 }),
    outcomes(lane, { state: stateNumber.failed, errorCode: 'unreachable', count: 2 }),
    outcomes(lane, { state: stateNumber.sending, count: 9 }),
  ]);
  const none = { sent: 0, delivered: 0, failed: 0, retried: 0, uncertain: 0 };
  expect(activity.counts()).toEqual([
    { ...lane, ...none, sent: 1, delivered: 5, failed: 3, retried: 1 },
    { ...none, accountId: 8, routeId: 3, sent: 1 },
  ]);
  expect(activity.errors(1, 10)).toEqual([
    { ...lane, code: 'rate_limited', count: 2 },
    { ...lane, code: 'unreachable', count: 2 },
  ]);
});

test('errors are forgotten after the last minutes, whatever has happened meanwhile', () => {
  const activity = new Activity();
  const minuteMs = 60_000;
  activity.recorded([outcomes(lane, { ...failed, atMs: 0 })]);
  activity.recorded([outcomes(lane, { ...failed, atMs: errorMinutes * minuteMs })]);
  expect(activity.errors(errorMinutes * minuteMs, 10)[0]!.count).toBe(2);
  activity.recorded([outcomes(lane, { ...failed, atMs: (errorMinutes + 1) * minuteMs })]);
  expect(activity.errors((errorMinutes + 1) * minuteMs, 10)[0]!.count).toBe(2);
  expect(activity.errors((3 * errorMinutes + 1) * minuteMs, 10)).toEqual([]);
});

test('a provider that invents codes does not fill the memory, and none of its errors is lost', () => {
  const activity = new Activity();
  for (let n = 0; n < 1_000; n++) {
    activity.recorded([outcomes(lane, { state: stateNumber.failed, errorCode: `code ${n}` })]);
  }
  const errors = activity.errors(1, 1_000);
  expect(errors.length).toBeLessThan(50);
  expect(errors.reduce((sum, { count }) => sum + count, 0)).toBe(1_000);
  expect(errors[0]!.code).toBe('other');
});

test('codes that nobody meets any more leave room for new ones, also while nobody watches', () => {
  const activity = new Activity();
  const minuteMs = 60_000;
  for (let n = 0; n < 100; n++) {
    activity.recorded([outcomes(lane, { state: stateNumber.failed, errorCode: `code ${n}`, atMs: 1 })]);
  }
  const laterMs = (errorMinutes + 2) * minuteMs;
  activity.recorded([outcomes(lane, { ...failed, atMs: laterMs })]);
  expect(activity.errors(laterMs, 10)).toEqual([{ ...lane, code: 'rate_limited', count: 1 }]);
});

function outcomes(
  key: { accountId: number; routeId: number },
  {
    count = 1,
    atMs = 1,
    errorCode = null,
    state,
  }: Partial<OutcomeGroup> & { count?: number; state: OutcomeGroup['state'] },
) {
  const offsets = Array.from({ length: count }, (_, offset) => offset);
  const chunk = { lane: { key: { ...key, priority: 0 } } } as unknown as PendingChunk;
  return { chunk, group: { state, errorCode, atMs, offsets } as unknown as OutcomeGroup };
}
