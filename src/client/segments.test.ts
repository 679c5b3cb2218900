import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceError } from './client-error.ts';
import type { LineSource } from './line-source.ts';
import { type MessageSource, type Segment, segmentsOf } from './segments.ts';

const settings = { format: 'ndjson', gzip: false, skip: 0, headerCounts: true } as const;

async function cut(
  source: Exclude<MessageSource, LineSource>,
  more: Partial<Parameters<typeof segmentsOf>[1]>,
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for await (const segment of segmentsOf(source, { ...settings, ...more })) segments.push(segment);
  return segments;
}

/** The bytes in parts of these sizes, over and over. */
async function* inParts(text: string, sizes: number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const cell = fc
  .stringMatching(/^[a-zü]{0,6}$/)
  .chain((text) => fc.constantFrom(text, `"${text}"`, `"${text}\n,""${text}"`));
const record = fc.array(cell, { minLength: 2, maxLength: 2 }).map((cells) => cells.join(','));
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 });

describe('segments of CSV', () => {
  it('hold every record once and whole, with the header before them, however the bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 30 }),
        sizes,
        fc.integer({ min: 1, max: 60 }),
        fc.boolean(),
        fc.boolean(),
        async (records, parts, segmentBytes, ends, headerCounts) => {
          const header = 'to,"the\nbody"\n';
          const text = header + records.join('\n') + (ends ? '\n' : '');
          const segments = await cut(inParts(text, parts), { format: 'csv', segmentBytes, headerCounts });
          const joined = segments.map(({ bytes }) => bytes.toString()).join('');
          expect(joined).toBe(headerCounts ? text : text.slice(header.length));
          for (const { bytes, lines, header: before } of segments) {
            expect(String(before)).toBe(header);
            expect(lines).toBe(bytes.toString().replace(/\n$/, '').split('\n').length);
            expect((bytes.toString().match(/"/g) ?? []).length % 2).toBe(0);
          }
        },
      ),
    );
  });

  it('pass over what the batch has already, and keep the header', async () => {
    const text = 'to,body\n1,a\n2,"b\nb"\n3,c\n';
    const [segment] = await cut(inParts(text, [3]), { format: 'csv', skip: 4, headerCounts: false });
    expect([String(segment?.header), String(segment?.bytes), segment?.lines]).toEqual([
      'to,body\n',
      '3,c\n',
      1,
    ]);
  });
});

describe('segments of NDJSON and of objects', () => {
  it('are the same lines', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ to: fc.string(), body: fc.string() }), { minLength: 1, maxLength: 20 }),
        sizes,
        fc.integer({ min: 1, max: 200 }),
        fc.nat(20),
        async (messages, parts, segmentBytes, skipped) => {
          const skip = Math.min(skipped, messages.length);
          const text = messages.map((message) => `${JSON.stringify(message)}\n`).join('');
          const wanted = messages.slice(skip).map((message) => `${JSON.stringify(message)}\n`);
          for (const source of [inParts(text, parts), messages, messages.values()]) {
            const segments = await cut(source, { segmentBytes, skip });
            expect(segments.map(({ bytes }) => bytes.toString()).join('')).toBe(wanted.join(''));
            expect(segments.reduce((sum, { lines }) => sum + lines, 0)).toBe(wanted.length);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each<[string, Exclude<MessageSource, LineSource>, Partial<Parameters<typeof segmentsOf>[1]>, RegExp]>([
    ['no object', [{ to: '1' }, 7 as never], {}, /message 2 is no object/],
    ['what JSON has not', [{ to: '1', payload: 1n }], {}, /message 1 cannot be written as JSON/],
    ['a text', 'customers.csv' as never, {}, /give fileSource/],
    ['nothing iterable', {} as never, {}, /must be iterable/],
    ['fewer lines than the batch has', [{ to: '1' }], { skip: 2 }, /ends before line 3/],
    ['nothing, where the batch has lines', [], { skip: 2 }, /ends before line 3/],
    ['fewer bytes than the batch has', inParts('{}\n', [9]), { skip: 2 }, /ends before line 3/],
    ['bytes that are no gzip', inParts('{}\n', [9]), { gzip: true }, /incorrect header/],
  ])('say what is wrong with %s', async (_name, source, more, message) => {
    const failed = cut(source, more);
    await expect(failed).rejects.toThrow(SourceError);
    await expect(failed).rejects.toThrow(message);
  });

  it('close a source that is not read to its end', async () => {
    let closed = 0;
    function* endless() {
      try {
        for (;;) yield { to: '+31612345678' };
      } finally {
        closed++;
      }
    }
    for await (const _ of segmentsOf(endless(), { ...settings, segmentBytes: 100 })) break;
    expect(closed).toBe(1);
  });

  it('pass on that a source failed', async () => {
    async function* failing() {
      yield { to: '1' };
      throw new Error('cursor lost');
    }
    await expect(cut(failing(), {})).rejects.toThrow(/part 2: cursor lost/);
  });
});
