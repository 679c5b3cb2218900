import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CsvCutter } from '../../../../src/intake/csv-cutter.ts';
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

test('a quote amid a cell opens none: its record ends with its line, as the server has it', () => {
  const spoilt = 'a,27" x\n';
  expect(firstRecordEnd(bytesOf(`${spoilt}b,c\n`), 'csv')).toBe(spoilt.length);
  expect(lastRecordEnd(bytesOf(`${spoilt}b,"y\n`), 'csv')).toBe(spoilt.length);
  const whole = `${spoilt}b,"y\nz"\n"q"r,"\n`;
  expect(lastRecordEnd(bytesOf(`${whole}d,"e\nf`), 'csv')).toBe(whole.length);
  expect(firstRows(`${spoilt}b,"y\nz"\n`, 5)).toEqual([
    ['a', '27" x'],
    ['b', 'y\nz'],
  ]);
});

test('sent in parts, a file holds the records for the server that it holds as a whole', () => {
  const piece = fc.constantFrom('a', ',', '"', '\n', '\r\n', '""', '27" x', ',"b\nc"', '\na,b\n');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.nat({ max: 80 }), (pieces, size) => {
      const bytes = bytesOf(pieces.join(''));
      const end = lastRecordEnd(bytes.subarray(0, size), 'csv');
      const first = cut(bytes.subarray(0, end), 1);
      const rest = cut(bytes.subarray(end), Math.max(first.nextLine, 2));
      expect([...first.records, ...rest.records]).toEqual(cut(bytes, 1).records);
    }),
    { numRuns: 1_000 },
  );
});

/** The records that the server finds behind a header, each with its line. */
function cut(bytes: Uint8Array, firstLine: number): { records: string[]; nextLine: number } {
  const cutter = new CsvCutter({ firstLine });
  const slots = [...cutter.push(bytesOf('to,body\n')), ...cutter.push(bytes), ...cutter.end()];
  const records = slots.flatMap((slot) =>
    Array.from(slot.starts, (start, index) => {
      const line = slot.firstLine + (slot.lineOffsets?.[index] ?? index);
      return `${line}:${new TextDecoder().decode(slot.bytes.subarray(start, slot.ends[index]))}`;
    }),
  );
  return { records, nextLine: cutter.nextLine };
}

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
