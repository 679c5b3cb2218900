import { expect, test } from 'vitest';
import { servesOrRecovers } from './end-stranded.ts';

test.each([
  ['postgres: startup recovering 000000010000000000000003', true],
  ['postgres: walwriter ', true],
  ['postgres: shop east: walwriter ', true],
  ['postgres: shop: startup', true],
  ['postgres: checkpointer performing shutdown checkpoint', true],
  ['postgres: checkpointer ', false],
  ['postgres: shop: io worker 0', false],
])('of the process %j it is known whether its server serves or recovers', (title, does) => {
  expect(servesOrRecovers(title)).toBe(does);
});
