import { expect, test } from 'vitest';
import { FaultLimit } from './fault-limit.ts';

test('the same fault passes every five seconds at most, and says how many of its like did not', () => {
  let ms = 0;
  const limit = new FaultLimit({ monotonicMs: () => ms });
  const passes: unknown[] = [];
  for (; ms <= 10_000; ms += 250) {
    const passed = limit.pass('unavailable 57P01');
    if (passed) passes.push([ms, passed]);
  }
  expect(passes).toEqual([
    [0, {}],
    [5_000, { silenced: 19 }],
    [10_000, { silenced: 19 }],
  ]);
  expect(limit.pass('unavailable ECONNREFUSED')).toEqual({});
});

test('however many faults there are, it remembers no more than a hundred', () => {
  const limit = new FaultLimit({ monotonicMs: () => 0 });
  for (let n = 0; n <= 100; n++) expect(limit.pass(`fault ${n}`)).toEqual({});
  expect(limit.pass('fault 0')).toEqual({});
  expect(limit.pass('fault 100')).toBeUndefined();
});
