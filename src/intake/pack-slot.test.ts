import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bloomHas } from '../message/bloom.ts';
import { decodeChunk, splitFrame } from '../message/chunk-codec.ts';
import { lookupHash } from '../message/lookup-hash.ts';
import { type PackedSlot, type PackSettings, packSlot } from './pack-slot.ts';
import type { Rejection } from './rejection.ts';
import { openCutter, type UploadFormat } from './slot-cutter.ts';
import type { TimeRules } from './time-rules.ts';

const accountId = 7;

test('every kind of bad line is refused with its number and reason, and its neighbours are kept', () => {
  const good = (number: number) => `{"to":"+3161234567${number}"}`;
  const bad: [string | Buffer, string][] = [
    ['{"to":"+31612345678"', 'invalid_json'],
    ['{"a":[{}', 'invalid_json'],
    ['{}]}', 'invalid_json'],
    [Buffer.from('{"to":"+31612345678","body":"\xff"}', 'latin1'), 'invalid_utf8'],
    [`{"to":"+31612345678","body":"${'x'.repeat(70_000)}"}`, 'line_too_long'],
    ['{"to":"+31612345678","payload":1e999}', 'number_precision'],
    [`{"to":"+31612345678","payload":${'['.repeat(40)}${']'.repeat(40)}}`, 'nesting_too_deep'],
    ['{"to":"+31612345678","__proto__":{"ref":"x"}}', 'unknown_field'],
    ['{"to":"+31612345678","template":"a"}', 'unknown_template'],
    ['{"to":"+31612345678","params":{}}', 'missing_template'],
    ['{"to":"+31612345678","attachments":[]}', 'not_available'],
    ['{"to":"+31612345678","orderingKey":""}', 'invalid_value'],
    ['{"to":"+31612345678","orderingKey":7}', 'wrong_type'],
    ['{"to":"nobody"}', 'invalid_recipient'],
    ['7', 'not_an_object'],
  ];
  const lines = bad.flatMap(([line], index) => [good(index % 10), line]);
  const body = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\r\n')]));
  const [packed] = pack('ndjson', body);
  expect(packed).toMatchObject({ firstLine: 1, lines: 30, count: 15, rejected: 15 });
  expect(rejectionsOf(packed!).map(({ line, code }) => [line, code])).toEqual(
    bad.map(([, code], index) => [2 * index + 2, code]),
  );
  expect(packed?.firstRejections).toEqual(rejectionsOf(packed!));
  expect(messagesOf(packed!)).toEqual(bad.map((_, index) => JSON.parse(good(index % 10))));
});

test('lines are kept to the byte, without the white space around them', () => {
  const lines = [
    '{"to":"+31612345678","body":"\\u00e9 é"}',
    '  { "to" : "+31612345678" }\t',
    '{"to":"a@b.c"}\r',
  ];
  const [packed] = pack('ndjson', Buffer.from(lines.join('\n')));
  expect(splitFrame(decodeChunk(packed!.codec, packed!.payload))).toEqual(lines.map((line) => line.trim()));
});

test('elements of an array become one line each', () => {
  const values = [
    { to: '+31612345678', payload: { a: ['\n', 1] } },
    { to: 'a@b.c', metadata: { b: '\\' } },
  ];
  const [packed] = pack('json', Buffer.from(JSON.stringify(values, null, 2)));
  expect(messagesOf(packed!)).toEqual(values);
});

test('a slot without a valid message is only its rejections', () => {
  const [packed] = pack('ndjson', Buffer.from('x\ny\n'));
  expect(packed).toMatchObject({ count: 0, rejected: 2, lookup: { hashes: [] } });
  expect(packed?.payload).toHaveLength(0);
  const [blank] = pack('ndjson', Buffer.from('\n\n'));
  expect(blank).toMatchObject({ lines: 2, count: 0, rejected: 0 });
});

test('all rejections can be read back, and the first hundred are at hand', () => {
  const [packed] = pack('ndjson', Buffer.from('x\n'.repeat(1_000)));
  expect(packed?.firstRejections).toHaveLength(100);
  expect(rejectionsOf(packed!)).toHaveLength(1_000);
  expect(packed?.lines).toBe(1_000);
});

test('few messages are found by hash, many by filter', () => {
  const line = (number: number) => `{"to":"+3161234${1_000 + number}","ref":"r${number}"}\n`;
  const body = (count: number) =>
    Buffer.from(Array.from({ length: count }, (_, number) => line(number)).join(''));
  const [few] = pack('ndjson', body(2));
  expect(few?.lookup).toEqual({
    hashes: [
      lookupHash('to', accountId, '+31612341000'),
      lookupHash('to', accountId, '+31612341001'),
      lookupHash('ref', accountId, 'r0'),
      lookupHash('ref', accountId, 'r1'),
    ],
  });
  const [many] = pack('ndjson', body(500));
  const lookup = many!.lookup as { toBits: Uint8Array; refBits: Uint8Array };
  expect(bloomHas(lookup.toBits, lookupHash('to', accountId, '+31612341499'))).toBe(true);
  expect(bloomHas(lookup.refBits, lookupHash('ref', accountId, 'r499'))).toBe(true);
  const [withoutRefs] = pack('ndjson', Buffer.from('{"to":"+31612345678"}\n'.repeat(100)));
  expect(Object.keys(withoutRefs!.lookup)).toEqual(['toBits']);
});

test('CSV agrees with a naive writer of the same cells', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', '😀', '"', ',', '\n', '\r\n', '\\', '\t', ' ', ';', '\u0001'),
  });
  const row = fc.record({
    body: text,
    ref: text,
    id: text,
    proto: text,
    tags: fc.array(fc.constantFrom('x', 'y"z', ' ')),
  });
  fc.assert(
    fc.property(fc.array(row), fc.constantFrom('\n', '\r\n'), fc.boolean(), (rows, eol, always) => {
      const header = 'body,metadata.id,to,ref,tags,metadata.__proto__';
      const lines = rows.map(({ body, id, ref, tags, proto }) =>
        [body, id, '+31612345678', ref, tags.join('|'), proto].map((cell) => csvCell(cell, always)).join(','),
      );
      const [packed] = pack('csv', Buffer.from([header, ...lines].join(eol)));
      expect(packed?.rejected).toBe(0);
      expect(messagesOf(packed!)).toEqual(rows.map(messageOfRow));
    }),
  );
});

test('a bad CSV record is refused alone', () => {
  const csv = [
    'to,body',
    '+31612345678,a',
    '+31612345678',
    '+31612345678,a,b',
    '+31612345678,a"b',
    '"x"y,z',
    ',b',
    '"+31612345678",""',
    '+31612345678,"c',
  ];
  const [packed] = pack('csv', Buffer.from(csv.join('\n')));
  expect(rejectionsOf(packed!).map(({ line, code }) => [line, code])).toEqual([
    [3, 'column_count'],
    [4, 'column_count'],
    [5, 'bad_quote'],
    [6, 'bad_quote'],
    [7, 'missing_to'],
    [9, 'unterminated_quote'],
  ]);
  expect(messagesOf(packed!)).toEqual([{ to: '+31612345678', body: 'a' }, { to: '+31612345678' }]);
});

test('a CSV record is refused for its bytes alone', () => {
  const [packed] = pack('csv', Buffer.from('to,body\n+31612345678,\xff\n+31612345678,b\n', 'latin1'));
  expect(rejectionsOf(packed!)).toMatchObject([{ line: 2, code: 'invalid_utf8' }]);
  expect(packed?.count).toBe(1);
});

test('a full slot of CSV that grows sixfold as JSON still fits', () => {
  const record = `+31612345678,"${'\u0001'.repeat(60_000)}"\n`;
  const [packed] = pack('csv', Buffer.from(`to,body\n${record.repeat(17)}`));
  expect(messagesOf(packed!)).toEqual(Array(17).fill({ to: '+31612345678', body: '\u0001'.repeat(60_000) }));
});

test('a chunk is due when the first of its messages is, and says whether lines name times', () => {
  const to = '"to":"+31612345678"';
  const at = (hour: number) => `"scheduledAt":"2030-01-01T${hour}:00:00Z"`;
  const times = {
    latestMs: Date.parse('2030-01-02T00:00:00Z'),
    scheduledAtMs: Date.parse('2030-01-01T12:00:00Z'),
  };
  const packed = (lines: string[], rules?: TimeRules) =>
    pack('ndjson', Buffer.from(lines.join('\n')), rules ? { times: rules } : {}).map(({ timed, dueAtMs }) => [
      timed,
      dueAtMs && new Date(dueAtMs).getUTCHours(),
    ]);
  expect(packed([`{${to}}`])).toEqual([[false, null]]);
  expect(packed([`{${to},${at(15)}}`, `{${to},${at(13)}}`])).toEqual([[true, 13]]);
  expect(packed([`{${to},${at(15)}}`, `{${to}}`])).toEqual([[true, null]]);
  expect(packed([`{${to}}`], times)).toEqual([[false, 12]]);
  expect(packed([`{${to}}`, `{${to},${at(10)}}`], times)).toEqual([[true, 10]]);
  expect(packed([`{${to},"expiresAt":"2030-01-01T13:00:00Z"}`], times)).toEqual([[true, 12]]);
  expect(packed([`{${to},"\\u0073cheduledAt":"2030-01-01T14:00:00Z"}`])).toEqual([[true, 14]]);
});

test('a line that expires before its batch is sent, or is scheduled too late to be kept, is refused', () => {
  const lines = [
    '{"to":"+31612345678","expiresAt":"2030-01-01T12:00:00Z"}',
    '{"to":"+31612345678","scheduledAt":"2030-01-03T00:00:00Z"}',
    '{"to":"+31612345678","scheduledAt":"2030-01-01T13:00:00Z"}',
    '{"to":"+31612345678"}',
  ];
  const times = {
    latestMs: Date.parse('2030-01-02T00:00:00Z'),
    scheduledAtMs: Date.parse('2030-01-01T12:00:00Z'),
    expiresAtMs: Date.parse('2030-01-01T13:00:00Z'),
  };
  const [packed] = pack('ndjson', Buffer.from(lines.join('\n')), { times });
  expect(rejectionsOf(packed!)).toMatchObject([
    { line: 1, code: 'invalid_value', detail: '"expiresAt" must be later than "scheduledAt"' },
    { line: 2, code: 'invalid_value', detail: expect.stringContaining('2030-01-02T00:00:00.000Z') },
    { line: 3, code: 'invalid_value' },
  ]);
  expect(packed!.count).toBe(1);
});

test('the times of a CSV record are those of its columns', () => {
  const csv = 'to,scheduledAt,expiresAt\n+31612345678,2030-01-01T12:00:00Z,\n+31612345678,,soon\n';
  const [packed] = pack('csv', Buffer.from(csv));
  expect(messagesOf(packed!)).toEqual([{ to: '+31612345678', scheduledAt: '2030-01-01T12:00:00Z' }]);
  expect(packed).toMatchObject({ timed: true, dueAtMs: Date.parse('2030-01-01T12:00:00Z') });
  expect(rejectionsOf(packed!)).toMatchObject([{ line: 3, code: 'invalid_value' }]);
});

test('a cell that becomes a header is one line; a body may have several', () => {
  const csv = 'to,subject,body\n+31612345678,s,"a\nb"\n+31612345678,"s\nBcc: a@example.com",b\n';
  const [packed] = pack('csv', Buffer.from(csv));
  expect(messagesOf(packed!)).toEqual([{ to: '+31612345678', subject: 's', body: 'a\nb' }]);
  expect(rejectionsOf(packed!)).toMatchObject([{ line: 4, code: 'invalid_value' }]);
});

test.each<UploadFormat>(['ndjson', 'json', 'csv'])(
  'recipients as people write them are stored in the form that is kept, whatever they grow by: %s',
  (format) => {
    const written = fc.constantFrom(
      ['+31612345678', '+31612345678'],
      ['+31 (0)6 1234-5678', '+31612345678'],
      ['06 12345678', '+31612345678'],
      ['0612345678', '+31612345678'],
      ['ada@x.ü', 'ada@x.xn--tda'],
      ['Ada@EXAMPLE.com', 'Ada@example.com'],
      ['06 1', undefined],
    );
    const line = fc.record({ written, key: fc.boolean(), escaped: fc.boolean(), body: fc.string() });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 90 }), (lines) => {
        const records = lines.map(({ written: [to], key, body }) => ({
          to,
          body: body.replace(/[\r\n]/g, ' ') || 'x',
          ref: `r ${to}`,
          ...(key && { orderingKey: 'k' }),
        }));
        const json = records.map((record, n) => {
          const text = JSON.stringify(record);
          return lines[n]!.escaped ? text.replace('"to":"', '"to" :\t"\\u0020') : text;
        });
        const cells = records.map(({ to, body, ref, orderingKey = '' }) =>
          [to!, body, ref, orderingKey].map((cell) => csvCell(cell, true)).join(','),
        );
        const body = {
          ndjson: json.join('\n'),
          json: `[${json.join(',\n')}]`,
          csv: ['to,body,ref,orderingKey', ...cells].join('\n'),
        }[format];
        const packed = pack(format, Buffer.from(body), { country: 'NL' });
        const kept = records.flatMap((record, n) => {
          const [, to] = lines[n]!.written;
          return to === undefined ? [] : [{ ...record, to }];
        });
        const plain = kept.filter(({ orderingKey }) => orderingKey === undefined);
        const keyed = kept.filter(({ orderingKey }) => orderingKey !== undefined);
        expect(packed.flatMap(messagesOf)).toEqual(plain);
        expect(packed.flatMap(keyedOf)).toEqual(keyed);
        expect(packed.reduce((sum, { rejected }) => sum + rejected, 0)).toBe(records.length - kept.length);
        for (const { to, ref } of plain) {
          const found = [lookupHash('to', accountId, to), lookupHash('ref', accountId, ref)];
          const has = (hash: bigint) => packed.some(({ lookup }) => hasHash(lookup, hash));
          expect(found.map(has)).toEqual([true, true]);
        }
      }),
      { numRuns: 50 },
    );
  },
);

function hasHash(lookup: PackedSlot['lookup'], hash: bigint): boolean {
  if ('hashes' in lookup) return lookup.hashes.includes(hash);
  return bloomHas(lookup.toBits, hash) || (lookup.refBits !== undefined && bloomHas(lookup.refBits, hash));
}

function keyedOf({ keyed }: PackedSlot): unknown[] {
  let start = 0;
  return [...(keyed?.ends ?? [])].map((end) => {
    const record = Buffer.from(keyed!.records.subarray(start, end)).toString();
    start = end;
    return JSON.parse(record);
  });
}

function pack(
  format: UploadFormat,
  body: Buffer,
  settings: Pick<PackSettings, 'times' | 'country'> = {},
): PackedSlot[] {
  const cutter = openCutter(format, { firstLine: 1 });
  const slots = [...cutter.push(body), ...cutter.end()];
  expect(cutter.problem).toBeUndefined();
  return slots.map((slot) => packSlot(slot, { accountId, batch: true, ...settings }));
}

function messagesOf({ codec, payload, count }: PackedSlot): unknown[] {
  if (count === 0) return [];
  const lines = splitFrame(decodeChunk(codec, payload));
  expect(lines).toHaveLength(count);
  return lines.map((line) => JSON.parse(line));
}

function rejectionsOf({ rejections }: PackedSlot): Rejection[] {
  if (rejections === undefined) return [];
  return splitFrame(decodeChunk(rejections.codec, rejections.payload)).map((line) => JSON.parse(line));
}

function csvCell(text: string, always: boolean): string {
  return always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

interface Row {
  body: string;
  ref: string;
  id: string;
  proto: string;
  tags: string[];
}

function messageOfRow({ body, ref, id, proto, tags }: Row): unknown {
  const metadata = [...(id ? [['id', id]] : []), ...(proto ? [['__proto__', proto]] : [])];
  return {
    to: '+31612345678',
    ...(body && { body }),
    ...(ref && { ref }),
    ...(tags.length > 0 && { tags }),
    ...(metadata.length > 0 && { metadata: Object.fromEntries(metadata) }),
  };
}
