import { expect, test } from 'vitest';
import { firstRecordEnd, firstRows, headerLine, lastRecordEnd, lineStart } from './records.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

test('a part ends with a whole record, also where a cell holds line breaks and quotes', () => {
  const whole = 'a,"x ""y""\nz"\nb,c\n';
  for (const rest of ['', 'd', 'd,"e\nf', 'd,"e""\n']) {
    expect(lastRecordEnd(bytesOf(whole + rest), 'csv')).toBe(whole.length);
  }
  expect(lastRecordEnd(bytesOf('{"a":"\\""}\n{"b'), 'ndjson')).toBe(11);
  expect(lastRecordEnd(bytesOf('a,"b\nc'), 'csv')).toBe(0);
  expect(firstRecordEnd(bytesOf('"a\nb",c\nd,e\n'), 'csv')).toBe(8);
});

test('a line is found by its number, as a resumed upload names it', () => {
  const bytes = bytesOf('one\ntwo\n\nfour\n');
  expect([0, 1, 2, 3, 4, 9].map((lines) => lineStart(bytes, lines))).toEqual([0, 4, 8, 9, 14, 14]);
});

test('the first rows are read as they are meant', () => {
  expect(firstRows('to,body\r\n+31,"Hi, ""you""\r\nthere"\r\n+32,last', 5)).toEqual([
    ['to', 'body'],
    ['+31', 'Hi, "you"\r\nthere'],
    ['+32', 'last'],
  ]);
  expect(headerLine(['to', 'params.a,b'])).toBe('to,"params.a,b"\n');
});
