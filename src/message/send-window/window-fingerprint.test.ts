import { expect, test } from 'vitest';
import type { SendWindow } from './send-window.ts';
import { windowMark } from './window-mark.ts';

test('marks are stored: they never change, and whatever a window says makes another one', () => {
  const window: SendWindow = { days: ['mon', 'tue'], from: '09:00', to: '20:00', timeZone: 'recipient' };
  const others: Partial<SendWindow>[] = [
    { days: ['mon'] },
    { from: '09:01' },
    { to: '21:00' },
    { timeZone: 'UTC' },
  ];
  const marks = [window, ...others.map((other) => ({ ...window, ...other }))].map(windowMark);
  expect(new Set([0, ...marks]).size).toBe(6);
  expect([windowMark(undefined), marks[0]]).toEqual([0, 986_772_303]);
});
