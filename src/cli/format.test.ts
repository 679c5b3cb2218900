import { expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration, formatFields, formatTable } from './format.ts';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_500, '1.5 kB'],
  [512_000_000, '512 MB'],
  [999_700, '1.0 MB'],
  [3.2e12, '3.2 TB'],
])('formats %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_500, '1.5 s'],
  [9_960, '10 s'],
  [59_400, '59 s'],
  [59_900, '1 min 0 s'],
  [3_725_000, '1 h 2 min'],
])('formats %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it('groups thousands', () => {
  expect(formatCount(4_000_000)).toBe('4,000,000');
});

it('aligns tables, numbers to the right', () => {
  expect(
    formatTable(
      ['NAME', 'COUNT'],
      [
        ['a', 1],
        ['long', 1_000],
      ],
    ),
  ).toBe('NAME  COUNT\na         1\nlong  1,000');
  expect(formatTable(['NAME'], [])).toBe('NAME');
});

it('cuts the longest texts of a table that is too wide, and neither names nor numbers', () => {
  const header = ['NAME', 'COUNT', 'URL', 'REASON'];
  const row = ['a-name-of-some-length', 1_000_000, 'https://example.com/hook', 'it answered 410: gone'];
  const cutTo = (width: number) => formatTable(header, [row], { width }).split('\n')[1];
  const whole = 'a-name-of-some-length  1,000,000  https://example.com/hook  it answered 410: gone';
  expect(cutTo(whole.length)).toBe(whole);
  expect(cutTo(whole.length - 1)).toBe(
    'a-name-of-some-length  1,000,000  https://example.com/ho…  it answered 410: gone',
  );
  expect(cutTo(60)).toBe('a-name-of-some-length  1,000,000  https://exa…  it answered…');
  expect(cutTo(59)).toBe(whole);
  expect(formatTable(header, [row])).toContain(whole);
});

it('leaves out fields without a value', () => {
  expect(
    formatFields([
      ['a', 1],
      ['long', 'x'],
      ['none', undefined],
      ['null', null],
    ]),
  ).toBe('a     1\nlong  x');
});
