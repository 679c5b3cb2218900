import { expect, test } from 'vitest';
import { findProgram } from './find-program.ts';
import { needs } from './needs.ts';

needs('ps')('a test whose program is there runs', async () => {
  expect(findProgram('ps')).toMatch(/^\/.*\/ps$/);
});

test('a program that is nowhere is not found', () => {
  expect(findProgram('no-such-program' as 'ps')).toBeUndefined();
});
