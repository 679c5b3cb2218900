import { expect, test } from 'vitest';
import type { SendWindow } from './send-window.ts';
import { windowFingerprint } from './window-fingerprint.ts';

test('fingerprints are stored: they never change, and whatever a window says makes another one', () => {
  const window: SendWindow = { days: ['mon', 'tue'], from: '09:00', to: '20:00', timeZone: 'recipient' };
  const others: Partial<SendWindow>[] = [
    { days: ['mon'] },
    { from: '09:01' },
    { to: '21:00' },
    { timeZone: 'UTC' },
  ];
  const found = [window, ...others.map((other) => ({ ...window, ...other }))].map(windowFingerprint);
  expect(new Set([0, ...found]).size).toBe(6);
  expect([windowFingerprint(undefined), found[0]]).toEqual([0, 986_772_303]);
});
