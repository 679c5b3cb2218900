import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTime } from './parse-time.ts';

test('every time that JSON.stringify writes is read back', () => {
  const years1To9999 = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z') };
  fc.assert(
    fc.property(fc.date({ ...years1To9999, noInvalidDate: true }), (date) => {
      expect(parseTime(date.toISOString())).toEqual(date);
    }),
  );
});

test.each([
  ['2026-11-21T10:00:00+02:00', '2026-11-21T08:00:00.000Z'],
  ['2026-11-21t10:00:00.123456z', '2026-11-21T10:00:00.123Z'],
  ['2024-02-29T00:00:00-00:00', '2024-02-29T00:00:00.000Z'],
])('%s is %s', (text, expected) => {
  expect(parseTime(text)?.toISOString()).toBe(expected);
});

test.each([
  '',
  'now',
  '2026-11-21',
  '2026-11-21T10:00:00',
  '2026-11-21 10:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '2026-11-21T25:00:00Z',
  '2026-11-21T10:61:00Z',
  '2026-11-21T10:00:00+99:99',
  '+002026-11-21T10:00:00Z',
  '2026-00-10T00:00:00Z',
  '1763719200',
])('%j is no time', (text) => {
  expect(parseTime(text)).toBeNull();
});
