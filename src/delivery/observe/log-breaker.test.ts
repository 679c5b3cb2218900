import { expect, test } from 'vitest';
import type { Logger } from '../../observe/log.ts';
import { logBreaker } from './log-breaker.ts';

test('a breaker that opens is a warning, what follows is told at level info, each with route and error', () => {
  const lines: [string, object, string][] = [];
  const note = (level: string) => (fields: object, text: string) => lines.push([level, fields, text]);
  const log = { warn: note('warn'), info: note('info') } as unknown as Logger;
  const change = { route: 'sms', errorCode: 'connection_refused' };
  logBreaker(log, { ...change, from: 'closed', to: 'open' });
  logBreaker(log, { ...change, from: 'open', to: 'half-open' });
  logBreaker(log, { route: 'sms', from: 'half-open', to: 'closed' });
  expect(lines.map(([level]) => level)).toEqual(['warn', 'info', 'info']);
  expect(lines[0]![1]).toEqual({ route: 'sms', from: 'closed', to: 'open', lastError: 'connection_refused' });
  expect(lines[2]![1]).toEqual({ route: 'sms', from: 'half-open', to: 'closed' });
  expect(lines.map(([, , text]) => text)).toEqual([
    'the breaker of a route opened: nothing is sent through it for now',
    'the breaker of a route is half open: a few messages try the provider',
    'the breaker of a route closed: it sends again',
  ]);
});
