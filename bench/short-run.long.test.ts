import { test } from 'vitest';
import { expectMeasured, measuringMs, namesOf } from './expect-measured.ts';

test(
  'figures whose promise has a test of its own can be measured at a small size',
  async () => {
    await expectMeasured(namesOf('tested'));
  },
  measuringMs,
);
