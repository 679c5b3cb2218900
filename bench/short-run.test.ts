import { vi } from 'vitest';
import { needs } from '../test/support/needs.ts';
import { expectMeasured, measuringMs, namesOf } from './expect-measured.ts';

vi.setConfig({ testTimeout: measuringMs });

needs('psql')('figures can be measured at a small size', async () => {
  await expectMeasured(namesOf('quick'));
});
