import { expect, test } from 'vitest';
import { Ramp } from './ramp.ts';

test('what may leave doubles step by step while answers are good, and no faster however many they are', () => {
  const ramp = new Ramp();
  expect(ramp.share).toBe(1);
  ramp.start(0);
  const shares: number[] = [];
  for (let nowMs = 0; nowMs <= 3_000; nowMs += 1) {
    ramp.good(nowMs);
    if (shares.at(-1) !== ramp.share) shares.push(ramp.share);
    if (nowMs === 499) expect(shares).toEqual([1 / 64]);
  }
  expect(shares).toEqual([1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]);
});

test('without answers nothing rises; failures of one step take one step back', () => {
  const ramp = new Ramp();
  ramp.start(0);
  for (const nowMs of [500, 1_000, 1_500]) ramp.good(nowMs);
  expect(ramp.share).toBe(1 / 8);
  for (let n = 0; n < 20; n++) ramp.failed(1_600);
  expect(ramp.share).toBe(1 / 16);
  ramp.good(1_700);
  expect(ramp.share).toBe(1 / 16);
  ramp.good(2_100);
  expect(ramp.share).toBe(1 / 8);
});
