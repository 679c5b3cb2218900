import { expect, test } from 'vitest';
import { Brake } from './brake.ts';

function refusal(beganAtMs: number, nowMs: number, retryAfterMs?: number) {
  return { beganAtMs, nowMs, retryAfterMs, random: () => 0 };
}

test('refusals of one round trip slow down once; those of the next slow down again', () => {
  const brake = new Brake();
  for (let n = 0; n < 50; n++) brake.refused(refusal(0, 100), 64);
  expect(brake.window).toBe(44);
  brake.refused(refusal(101, 200), 44);
  expect(brake.window).toBe(30);
});

test('good answers give one request more a round trip, until the brake is off', () => {
  const brake = new Brake();
  brake.refused(refusal(0, 100), 20);
  expect(brake.window).toBe(14);
  for (let n = 0; n < 14; n++) brake.good(20);
  expect(brake.window).toBe(14);
  for (let n = 0; n < 2; n++) brake.good(20);
  expect(brake.window).toBe(15);
  for (let n = 0; n < 90; n++) brake.good(20);
  expect(brake.window).toBe(Number.POSITIVE_INFINITY);
  expect(brake.isReleased(100)).toBe(true);
});

test('Retry-After stops everything for its time, a minute at most', () => {
  const brake = new Brake();
  brake.refused(refusal(0, 100, 2_000), 4);
  expect([brake.room(2_099), brake.room(2_100)]).toEqual([0, 2]);
  brake.refused(refusal(2_100, 2_200, 3_600_000), 2);
  expect(brake.blockedUntilMs).toBe(62_200);
});

test('where one request at a time is too many, pauses grow until an answer is good', () => {
  const brake = new Brake();
  const pausesMs: number[] = [];
  for (let nowMs = 0; pausesMs.length < 8; nowMs = Math.max(nowMs, brake.blockedUntilMs) + 1) {
    brake.refused(refusal(nowMs, nowMs), 1);
    pausesMs.push(brake.blockedUntilMs - nowMs);
  }
  expect(pausesMs).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  brake.good(8);
  brake.refused(refusal(90_000, 90_000), 1);
  expect(brake.blockedUntilMs).toBe(90_100);
});
