import { expect, test } from 'vitest';
import { unlessAborted } from './unless-aborted.ts';

const never = new Promise<never>(() => {});

test('what the work comes to is the answer, and nothing is left that listens', async () => {
  const { signal } = new AbortController();
  expect(await unlessAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(unlessAborted(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
});

test('work that hangs is left behind when the signal is aborted, before or amid it', async () => {
  const abort = new AbortController();
  const amid = unlessAborted(never, abort.signal);
  abort.abort(new Error('stopped'));
  await expect(amid).rejects.toThrow('stopped');
  await expect(unlessAborted(Promise.reject(new Error('unheard')), abort.signal)).rejects.toThrow('stopped');
});
