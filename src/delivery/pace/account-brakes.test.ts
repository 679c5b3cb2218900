import { expect, test } from 'vitest';
import { Lane } from '../backlog/lane.ts';
import { AccountBrakes } from './account-brakes.ts';
import type { RequestResult } from './request-result.ts';

const random = () => 0;
const good: RequestResult = { kind: 'good' };
const refused: RequestResult = { kind: 'refused', retryAfterMs: 500 };

function answer(brakes: AccountBrakes, accountId: number, result: RequestResult, nowMs: number): boolean {
  const account = brakes.begin(accountId, nowMs);
  return brakes.end(account, { result, beganAtMs: nowMs, nowMs, limit: 64 });
}

function laneOf(accountId: number): Lane {
  return new Lane({ accountId, routeId: 1, priority: 1 }, 1);
}

test('a refusal stops the lanes of its account alone, and they come back by themselves', () => {
  const brakes = new AccountBrakes(random);
  const [one, other] = [laneOf(1), laneOf(2)];
  answer(brakes, 2, good, 0);
  expect(answer(brakes, 1, refused, 0)).toBe(false);
  expect(brakes.opens(one, 10)).toBe(false);
  expect(brakes.opens(other, 10)).toBe(true);
  // Offered again and again meanwhile, it comes back once.
  for (let n = 0; n < 10; n++) brakes.opens(one, 20);
  expect(brakes.nextAtMs).toBe(500);
  expect(brakes.freed(499)).toEqual([]);
  expect(brakes.freed(500)).toEqual([one]);
  expect(brakes.opens(one, 500)).toBe(true);
});

test('a lane whose account has as many requests out as the provider bears waits for one of the answers', () => {
  const brakes = new AccountBrakes(random);
  const lane = laneOf(1);
  answer(brakes, 1, { kind: 'refused', retryAfterMs: 0 }, 0);
  const out = brakes.begin(1, 10);
  expect(brakes.opens(lane, 10)).toBe(false);
  expect(brakes.freed(10)).toEqual([]);
  brakes.end(out, { result: good, beganAtMs: 10, nowMs: 20, limit: 64 });
  expect(brakes.freed(20)).toEqual([lane]);
  expect(brakes.opens(lane, 20)).toBe(true);
});

test('refusals of most of the accounts that send at the time are those of the route', () => {
  const brakes = new AccountBrakes(random);
  for (const id of [1, 2, 3, 4]) answer(brakes, id, good, 0);
  expect(answer(brakes, 1, refused, 100)).toBe(false);
  expect(answer(brakes, 2, refused, 200)).toBe(true);
  // Long after, one is alone again.
  for (const id of [1, 2, 3, 4]) answer(brakes, id, good, 5_000);
  expect(answer(brakes, 3, refused, 5_100)).toBe(false);
});

test('two of a hundred accounts do not speak for the route', () => {
  const brakes = new AccountBrakes(random);
  for (let id = 1; id <= 100; id++) answer(brakes, id, good, 0);
  expect([1, 2].map((id) => answer(brakes, id, refused, 100 * id))).toEqual([false, false]);
});

test('accounts of which there is nothing to remember are forgotten, braked ones are not', () => {
  const brakes = new AccountBrakes(random);
  answer(brakes, 1, refused, 0);
  for (let id = 2; id < 5_000; id++) answer(brakes, id, good, id * 10);
  expect(brakes.kept).toBeLessThan(2_500);
  expect(brakes.windowOf(1)).toBe(1);
});
