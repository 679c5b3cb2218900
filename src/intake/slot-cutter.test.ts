import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits } from '../message/limits.ts';
import type { RawSlot } from './raw-slot.ts';
import type { CutterSettings } from './record-cutter.ts';
import { openCutter, type UploadFormat } from './slot-cutter.ts';

const lineMax = limits.lineBytesMax;
const formats: UploadFormat[] = ['ndjson', 'csv', 'json'];

interface Cut {
  slots: RawSlot[];
  /** Each record as `line:text`, or `line:code` when it was refused. */
  records: string[];
  problem: string | undefined;
  nextLine: number;
}

describe('however a body comes in pieces, its slots are the same', () => {
  const piece = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        '{"to":"a"}',
        'é€😀',
        'a,b',
        '"a,""b"',
        '"a\r\nb"',
        '\n',
        '\r\n',
        ',',
        '"',
        '[',
        ']',
        ' ',
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(lineMax - 1, lineMax, lineMax + 1)
        .map((length) => `\n${'x'.repeat(length)}`),
    },
    { weight: 1, arbitrary: fc.constantFrom('\ufeff', 'a"b', '{"a":[{}', '\t', '\\"') },
  );
  const body = fc.array(piece, { maxLength: 25 }).map((parts) => parts.join(''));
  const start: Record<UploadFormat, string> = { ndjson: '', csv: 'to,body\n', json: '[' };

  test.each(formats)('%s, cut at random', (format) => {
    const cutAt = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom('', '\ufeff'), body, cutAt, (mark, text, fractions) => {
        const bytes = Buffer.from(mark + start[format] + text);
        const cuts = fractions.map((fraction) => Math.floor(fraction * bytes.length));
        expect(digest(inPieces(format, bytes, cuts))).toBe(digest(inPieces(format, bytes, [])));
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['ndjson', '\ufeff{"to":"é"}\r\n\r\n \n{"to":"😀"}\n{}'],
    ['csv', '\ufeffto,body\r\n"+1,""é"\r\n\n","b"\na"b,c\r\n"x"y,"\nz,"😀\n'],
    ['json', '\ufeff [ {"a":"\\"]}é"} ,\n[1,[2]], , "x" ,{}\r\n] '],
  ] as const)('%s, cut at every byte', (format, text) => {
    const bytes = Buffer.from(text);
    const whole = inPieces(format, bytes, []);
    expect(whole.records.length).toBeGreaterThan(2);
    for (let at = 0; at <= bytes.length; at++) expect(inPieces(format, bytes, [at])).toEqual(whole);
    expect(inPieces(format, bytes, [...bytes.keys()])).toEqual(whole);
  });
});

describe('NDJSON', () => {
  test('lines end in LF or CRLF, the last one need not end, blank ones are counted only', () => {
    const cut = cutAll('ndjson', '\ufeffa\r\n\n  \t\r\nb\n\r\nc');
    expect(cut.records).toEqual(['1:a', '4:b', '6:c']);
    expect(cut.nextLine).toBe(7);
  });

  test('a run of blank lines costs little more than good lines of as many bytes', () => {
    const bytes = 4_000_000;
    const cpuMs = (line: string) => {
      const piece = Buffer.from(line.repeat(Math.floor(16_384 / line.length)));
      const cutter = openCutter('ndjson', { firstLine: 1 });
      const since = process.cpuUsage();
      for (let pushed = 0; pushed < bytes; pushed += piece.length) cutter.push(piece);
      const { user, system } = process.cpuUsage(since);
      return (user + system) / 1_000;
    };
    const good = `${'x'.repeat(127)}\n`;
    const ratios = Array.from({ length: 5 }, () => cpuMs('\n') / cpuMs(good));
    // Line by line it was 12, and 3 is measured; what else runs here must not make it fail.
    expect(Math.min(...ratios)).toBeLessThan(8);
  });

  test('an empty body has no lines', () => {
    expect(cutAll('ndjson', '').slots).toEqual([]);
    expect(cutAll('ndjson', '\n').slots).toMatchObject([{ firstLine: 1, lines: 1, refused: [] }]);
  });

  test('a line over the limit is refused alone', () => {
    const fits = 'x'.repeat(lineMax);
    const cut = cutAll('ndjson', `a\n${fits}\r\n${fits}y\n${'z'.repeat(5_000_000)}\nb`);
    expect(cut.records.map((record) => record.slice(0, 20))).toEqual([
      '1:a',
      `2:${'x'.repeat(18)}`,
      '3:line_too_long',
      '4:line_too_long',
      '5:b',
    ]);
  });

  test('a body that broke off yields its complete lines and not the torn one', () => {
    const cutter = openCutter('ndjson', { firstLine: 11 });
    expect(cutter.push(Buffer.from('a\nb\n{"to":"+3161'))).toEqual([]);
    expect(recordsOf(cutter.flush())).toEqual(['11:a', '12:b']);
    expect(cutter.nextLine).toBe(13);
    expect(cutter.flush()).toEqual([]);
  });

  test('a flush cuts no line in two', () => {
    const cutter = openCutter('ndjson', { firstLine: 1 });
    const slots = [
      ...cutter.push(Buffer.from('a\nb')),
      ...cutter.flush(),
      ...cutter.push(Buffer.from('c\nd\n')),
      ...cutter.flush(),
    ];
    expect(recordsOf(slots)).toEqual(['1:a', '2:bc', '3:d']);
    expect(cutter.end()).toEqual([]);
  });

  test('memory stays bounded by a slot and a line, whatever comes', () => {
    const cutter = openCutter('ndjson', { firstLine: 1 });
    const blank = Buffer.from(`${' '.repeat(60_000)}\n`.repeat(10));
    const endless = Buffer.alloc(1_000_000, 'x');
    for (let round = 0; round < 30; round++) {
      for (const slot of [...cutter.push(blank), ...cutter.push(endless)]) {
        expect(slot.bytes.buffer.byteLength).toBeLessThan(2 * limits.slotBytesMax);
      }
    }
    const left = cutter.end();
    expect(recordsOf(left).length).toBeGreaterThan(0);
    expect(left[0]?.bytes.buffer.byteLength).toBeLessThan(400_000);
  });
});

describe('slots', () => {
  test('extents follow one another, stay in their run, and hold no more than the limits', () => {
    const lines = fc.constantFrom('', 'a', 'x'.repeat(700), 'y'.repeat(9_000));
    const bodies = fc.array(fc.tuple(lines, fc.integer({ min: 1, max: 1_500 })), { maxLength: 8 });
    fc.assert(
      fc.property(bodies, fc.integer({ min: 1, max: 40_000 }), (blocks, firstLine) => {
        const text = blocks.map(([line, times]) => `${line}\n`.repeat(times)).join('');
        const { slots, records, nextLine } = cutAll('ndjson', text, { firstLine });
        checkExtents(slots, { firstLine, nextLine });
        const expected = text
          .split('\n')
          .flatMap((line, index) => (line ? [`${firstLine + index}:${line}`] : []));
        // As one text: comparing thousands of lines one by one takes far longer than cutting them.
        expect(records.join('\n')).toBe(expected.join('\n'));
      }),
      { numRuns: 25 },
    );
  });

  test('a slot ends with its thousandth record and with its run', () => {
    const { slots } = cutAll('ndjson', 'a\n'.repeat(20_500), { firstLine: 501 });
    const extents = slots.map(({ firstLine, lines }) => [firstLine, lines]);
    expect(extents.slice(0, 2)).toEqual([
      [501, 1_000],
      [1_501, 1_000],
    ]);
    expect(extents.slice(15, 17)).toEqual([
      [15_501, 500],
      [16_001, 1_000],
    ]);
  });

  test('a slot of long records ends before it exceeds its bytes', () => {
    const { slots } = cutAll('ndjson', `${'x'.repeat(60_000)}\n`.repeat(40));
    expect(slots.map(({ lines }) => lines)).toEqual([17, 17, 6]);
  });

  test.each(formats)('%s: records that are durable are counted and not given out', (format) => {
    const extents = fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 5 })), { maxLength: 5 });
    fc.assert(
      fc.property(extents, fc.nat(60), (gaps, total) => {
        const skip: { firstLine: number; lines: number }[] = [];
        let line = format === 'csv' ? 2 : 1;
        for (const [gap, lines] of gaps) {
          skip.push({ firstLine: line + gap, lines });
          line += gap + lines;
        }
        const elements = Array.from({ length: total }, (_, index) => `${index}`);
        const text = {
          ndjson: elements.join('\n'),
          csv: `to\n${elements.join('\n')}`,
          json: `[${elements}]`,
        }[format];
        const whole = cutAll(format, text);
        const { slots, records, nextLine } = cutAll(format, text, { firstLine: 1, skip });
        const isSkipped = (at: number) =>
          skip.some(({ firstLine, lines }) => at >= firstLine && at < firstLine + lines);
        expect(records).toEqual(whole.records.filter((record) => !isSkipped(Number.parseInt(record, 10))));
        const covered = slots.flatMap(({ firstLine, lines }) =>
          Array.from({ length: lines }, (_, at) => firstLine + at),
        );
        const wanted = Array.from({ length: whole.nextLine - 1 }, (_, at) => at + 1).filter(
          (at) => !isSkipped(at),
        );
        expect(covered).toEqual(wanted);
        if (total > 0 && !isSkipped(whole.nextLine - 1)) expect(nextLine).toBe(whole.nextLine);
      }),
    );
  });
});

describe('CSV', () => {
  test('records start on their physical lines, the header being line 1', () => {
    const cut = cutAll('csv', 'to,body\r\na,b\r\n"c\nd","e ""f"""\n\ng,h');
    expect(cut.records).toEqual(['2:a,b', '3:"c\nd","e ""f"""', '6:g,h']);
    expect(cut.slots[0]).toMatchObject({ firstLine: 1, lines: 6 });
  });

  test('a header that is sent again on a resume is not counted again', () => {
    expect(cutAll('csv', '\nto\na\n', { firstLine: 7 }).records).toEqual(['7:a']);
    expect(cutAll('csv', '\nto\na\n').records).toEqual(['3:a']);
  });

  test('a quote in the wrong place spoils its line only', () => {
    expect(cutAll('csv', 'to,body\na"b,"\nc,d\n"e"f,"\ng,h\n').records).toEqual([
      '2:a"b,"',
      '3:c,d',
      '4:"e"f,"',
      '5:g,h',
    ]);
  });

  test('a record over the limit is refused alone, also in quotes and over lines', () => {
    const long = 'x,y\n'.repeat(25_000);
    expect(cutAll('csv', `to,body\na,"${long}"\n${long.replaceAll('\n', '')}\nb,c\n`).records).toEqual([
      '2:line_too_long',
      '25003:line_too_long',
      '25004:b,c',
    ]);
  });

  test('a quote that is never closed makes no messages of what is behind it, and ends the upload in time', () => {
    const rest = 'a,b\n'.repeat(300_000);
    const cut = cutAll('csv', `to,body\nc,d\ne,"f\n${rest}`);
    expect(cut.records).toEqual(['2:c,d']);
    expect(cut.problem).toBe('3:unterminated_quote');
    expect(cut.nextLine).toBe(3);
    expect(cutAll('csv', 'to,body\nc,d\ne,"f\ng,h').records).toEqual(['2:c,d', '3:e,"f\ng,h']);
  });

  test('a torn record is not yielded', () => {
    const cutter = openCutter('csv', { firstLine: 1 });
    cutter.push(Buffer.from('to,body\na,b\nc,"d\n'));
    expect(recordsOf(cutter.flush())).toEqual(['2:a,b']);
  });

  test.each([
    ['', '1:missing_header'],
    ['\n\n', '3:missing_header'],
    ['to;body\n', '1:wrong_separator'],
    ['to\tbody\n', '1:wrong_separator'],
    ['body\n', '1:missing_column'],
    ['to,to\n', '1:duplicate_column'],
    ['to,colour\n', '1:unknown_column'],
    ['to,To\n', '1:unknown_column'],
    ['to,metadata.\n', '1:unknown_column'],
    ['to,route\n', '1:unknown_column'],
    ['to,params.\n', '1:unknown_column'],
    ['to,params.user.name\n', '1:unknown_column'],
    ['to,attachments\n', '1:column_not_available'],
    ['to,"bo"dy\n', '1:invalid_header'],
    [`to,"${'x'.repeat(70_000)}"\n`, '1:header_too_long'],
  ])('header %.20j is refused as %s', (text, problem) => {
    const cut = cutAll(
      'csv',
      `${text}a,b\n`.slice(0, text === '' || text === '\n\n' ? text.length : undefined),
    );
    expect(cut.problem).toBe(problem);
    expect(cut.records).toEqual([]);
  });
});

describe('JSON array', () => {
  test('elements are lines, whatever white space is around them', () => {
    const cut = cutAll('json', ' [\n{"a": [1,\n2]} ,"x,]"\r\n, 3 ] \n');
    expect(cut.records).toEqual(['1:{"a": [1,\n2]}', '2:"x,]"', '3:3']);
    expect(cutAll('json', '[]').slots).toEqual([]);
  });

  test('an element over the limit is refused alone', () => {
    const cut = cutAll('json', `[1,{"a":"${'x'.repeat(lineMax)}"},"${'y'.repeat(lineMax - 2)}" ,2]`);
    expect(cut.records.map((record) => record.slice(0, 17))).toEqual([
      '1:1',
      '2:line_too_long',
      `3:"${'y'.repeat(14)}`,
      '4:2',
    ]);
  });

  test('a missing element is refused alone', () => {
    expect(cutAll('json', '[,1,]').records).toEqual(['1:invalid_json', '2:1', '3:invalid_json']);
  });

  test.each([
    ['', '1:not_an_array', 0],
    ['{"to":"a"}', '1:not_an_array', 0],
    ['[1,2', '2:unterminated_array', 1],
    ['[1,2,', '3:unterminated_array', 2],
    ['[1] 2', '2:trailing_data', 1],
    ['[1,{"a":[1}},3]', '2:broken_array', 1],
    ['[1,2},3]', '2:broken_array', 1],
    ['[1,"a\n","b"]', '2:broken_array', 1],
    ['[1,\\"a"]', '2:broken_array', 1],
  ])('%j ends as %s, and the elements before stand', (text, problem, records) => {
    const cut = cutAll('json', text);
    expect(cut.problem).toBe(problem);
    expect(cut.records).toHaveLength(records);
    expect(cut.nextLine).toBe(records + 1);
  });

  test('finds the elements that JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 3 })), fc.constantFrom(0, 2, '\t'), (values, indent) => {
        const { records, problem } = cutAll('json', JSON.stringify(values, null, indent));
        expect(problem).toBeUndefined();
        expect(records.map((record) => JSON.parse(record.slice(record.indexOf(':') + 1)))).toEqual(
          JSON.parse(JSON.stringify(values)),
        );
      }),
    );
  });
});

/** Comparing megabytes value by value takes a test framework minutes. */
function digest({ slots, problem, nextLine }: Cut): string {
  const hash = createHash('sha256').update(`${problem} ${nextLine}`);
  for (const { bytes, starts, ends, lineOffsets, firstLine, lines, refused } of slots) {
    hash.update(
      JSON.stringify([bytes.length, [...starts], [...ends], lineOffsets, firstLine, lines, refused]),
    );
    hash.update(bytes);
  }
  return hash.digest('hex');
}

function cutAll(format: UploadFormat, text: string, settings: CutterSettings = { firstLine: 1 }): Cut {
  return inPieces(format, Buffer.from(text), [], settings);
}

function inPieces(
  format: UploadFormat,
  bytes: Buffer,
  cuts: number[],
  settings: CutterSettings = { firstLine: 1 },
): Cut {
  const cutter = openCutter(format, settings);
  const slots: RawSlot[] = [];
  let from = 0;
  for (const to of [...cuts.sort((one, other) => one - other), bytes.length]) {
    slots.push(...cutter.push(bytes.subarray(from, to)));
    from = to;
  }
  slots.push(...cutter.end());
  const { nextLine, problem } = cutter;
  for (const slot of slots) slot.bytes = slot.bytes.slice();
  return {
    slots,
    records: recordsOf(slots),
    nextLine,
    problem: problem && `${problem.line}:${problem.code}`,
  };
}

function recordsOf(slots: readonly RawSlot[]): string[] {
  return slots.flatMap((slot) => {
    expect(slot.starts.every((_, index) => slot.bytes[slot.ends[index]!] === 0x0a)).toBe(true);
    const kept = Array.from(slot.starts, (start, index): [number, string] => {
      const line = slot.firstLine + (slot.lineOffsets?.[index] ?? index);
      return [line, Buffer.from(slot.bytes.subarray(start, slot.ends[index])).toString()];
    });
    const refused = slot.refused.map(({ line, code }): [number, string] => [line, code]);
    return [...kept, ...refused]
      .sort(([one], [other]) => one - other)
      .map(([line, text]) => `${line}:${text}`);
  });
}

function checkExtents(
  slots: readonly RawSlot[],
  { firstLine, nextLine }: { firstLine: number; nextLine: number },
): void {
  let line = firstLine;
  for (const slot of slots) {
    expect(slot.firstLine).toBe(line);
    expect(slot.lines).toBeGreaterThan(0);
    expect(slot.starts.length).toBeLessThanOrEqual(limits.chunkMessagesMax);
    expect(slot.bytes.length).toBeLessThanOrEqual(limits.slotBytesMax);
    line += slot.lines;
    const runs = [slot.firstLine, line - 1].map((at) => Math.floor((at - 1) / limits.runLines));
    expect(runs[0]).toBe(runs[1]);
  }
  expect(nextLine).toBe(line);
}
