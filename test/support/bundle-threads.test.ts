import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { threadScript } from '../../src/lib/thread-script.ts';

test('threads that tests start run what was bundled, not their sources', () => {
  const { pathname } = threadScript('delivery-thread', import.meta.url);
  expect(pathname).toMatch(/\/build\/threads-\d+-\/delivery-thread\.js$/);
  expect(existsSync(pathname)).toBe(true);
});
