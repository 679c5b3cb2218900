import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bloomHas } from './bloom.ts';
import {
  chunkMarks,
  decodeChunk,
  encodeChunk,
  splitFrame,
  templatedChunk,
  testChunk,
} from './chunk-codec.ts';
import { eraseFromChunk } from './erase-from-chunk.ts';
import { erasedLine } from './erased-line.ts';
import { lookupHash } from './lookup-hash.ts';

const person = 'Ada@Example.COM';
const accountId = 7;

const stranger = fc.integer({ min: 0, max: 400 }).map((n) => `+3161234${String(n).padStart(4, '0')}`);
const to = fc.oneof(
  { weight: 5, arbitrary: stranger },
  { weight: 1, arbitrary: fc.constantFrom(person, 'Ada@example.com', 'ada@example.com', 'xAda@example.com') },
);
const message = fc.record({
  to,
  ref: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
  body: fc.option(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(`for ${person}`)), {
    nil: undefined,
  }),
});

const marks = fc.constantFrom(0, templatedChunk, testChunk, chunkMarks);

const isPerson = ({ to }: { to: string }) => to === person || to === 'Ada@example.com';

test('the person goes, the others keep their places byte for byte and are found as before', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 150 }), marks, (messages, mark) => {
      const lines = messages.map((each) => JSON.stringify(each));
      const { codec, payload } = encodeChunk(Buffer.from(lines.join('\n')));
      const chunk = { codec: codec | mark, payload };
      const erased = eraseFromChunk(chunk, { accountId, to: person });
      const meant = messages.flatMap((each, offset) => (isPerson(each) ? [offset] : []));
      expect(erased?.offsets ?? []).toEqual(meant);
      if (!erased) return;
      expect(erased.codec & chunkMarks).toBe(mark);
      const after = splitFrame(decodeChunk(erased.codec, erased.payload));
      expect(after).toEqual(lines.map((line, offset) => (meant.includes(offset) ? erasedLine : line)));

      const { lookup } = erased;
      const others = messages.filter((each) => !isPerson(each));
      const hash = (kind: 'to' | 'ref', text: string) => lookupHash(kind, accountId, text);
      if (lookup.kind === 'filter') {
        for (const { to, ref } of others) {
          expect(bloomHas(lookup.toBits, hash('to', to))).toBe(true);
          if (ref !== undefined) expect(bloomHas(lookup.refBits!, hash('ref', ref))).toBe(true);
        }
      } else if (lookup.kind === 'keys') {
        expect(lookup.gone).toContain(hash('to', person));
        for (const { to } of others) expect(lookup.gone).not.toContain(hash('to', to));
      } else {
        expect(messages).toHaveLength(1);
      }
      expect(eraseFromChunk(erased, { accountId, to: person })).toBeUndefined();
    }),
  );
});

test('a chunk of many whose only recipient is erased has a filter that finds nothing', () => {
  const lines = Array.from({ length: 100 }, () => JSON.stringify({ to: person, ref: 'r' }));
  const erased = eraseFromChunk(encodeChunk(Buffer.from(lines.join('\n'))), { accountId, to: person });
  expect(erased?.lookup).toMatchObject({ kind: 'filter', refBits: null });
  expect(erased?.lookup.kind === 'filter' && erased.lookup.toBits.every((byte) => byte === 0)).toBe(true);
});
