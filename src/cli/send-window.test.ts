import { expect, test } from 'vitest';
import { formatSendWindow, sendWindow } from './send-window.ts';

const hours = { from: '09:00', to: '20:00', timeZone: 'Europe/Amsterdam' };

test.each([
  ['mon-fri', ['mon', 'tue', 'wed', 'thu', 'fri']],
  ['Sat-Mon', ['sat', 'sun', 'mon']],
  ['mon,wed-thu', ['mon', 'wed', 'thu']],
  ['sun', ['sun']],
])('days are named by %s', (days, expected) => {
  const window = sendWindow(`${days},09:00-20:00,Europe/Amsterdam`);
  expect(window).toEqual({ days: expected, ...hours });
  expect(sendWindow(formatSendWindow(window))).toEqual(window);
});

test.each([
  '',
  'mon-fri',
  'mon-fri,09:00-20:00',
  '09:00-20:00,UTC',
  'mon-fry,09:00-20:00,UTC',
  'mon-tue-wed,09:00-20:00,UTC',
  'mon,9-20,UTC',
])('what is no window is refused: %j', (text) => {
  expect(() => sendWindow(text)).toThrow('It must look like');
});
