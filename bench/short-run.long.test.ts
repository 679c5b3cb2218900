import { vi } from 'vitest';
import { needs } from '../test/support/needs.ts';
import { expectMeasured, measuringMs, namesOf } from './expect-measured.ts';

vi.setConfig({ testTimeout: measuringMs });

needs(
  'psql',
  'nginx',
  'redis-server',
)('figures that take minutes to try can be measured at a small size', async () => {
  await expectMeasured(namesOf('slow'));
});
