import { afterEach, expect, test, vi } from 'vitest';
import { statisticsPath } from './statistics-path.ts';

afterEach(() => vi.useRealTimers());

test('a range of the past ends with the step that is now, and stays the same range', () => {
  const range = () => statisticsPath({ lengthMs: 3_600_000, step: 'minute' }, { by: 'none' });
  const path = range();
  vi.useFakeTimers({ now: new Date('2026-01-02T03:04:05Z'), toFake: ['Date'] });
  expect(path.now()).toContain('since=2026-01-02T02%3A05%3A00.000Z&until=2026-01-02T03%3A05%3A00.000Z');
  vi.setSystemTime(new Date('2026-01-02T03:05:01Z'));
  expect(path.now()).toContain('since=2026-01-02T02%3A06%3A00.000Z&until=2026-01-02T03%3A06%3A00.000Z');
  expect(range().of).toBe(path.of);
});
