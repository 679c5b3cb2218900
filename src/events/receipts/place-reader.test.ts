import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseProviderKey } from '../../message/fold-outcomes.ts';
import { chunkIdOf, makeChunkId, messageIdAt, parseId } from '../../message/id.ts';
import { PlaceReader } from './place-reader.ts';

const chunkIds = [0, 1, 2].map((n) =>
  makeChunkId({ unixMs: 1_700_000_000_000, shard: 7, random: new Uint8Array([n, 1, 2, 3, 4, 5, 6, n]) }),
);

test('what is remembered of the key before changes nothing of what the next one names', () => {
  const id = fc
    .tuple(fc.constantFrom(...chunkIds), fc.nat(999))
    .map(([chunkId, offset]) => messageIdAt(chunkId, offset));
  const key = fc.oneof(
    id,
    fc.tuple(id, fc.nat(12)).map(([of, n]) => `${of}.${n}`),
    fc.tuple(id, fc.string({ maxLength: 3 })).map(([of, end]) => of.slice(0, 33) + end),
    id.map((of) => of.toUpperCase()),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 20 }), (keys) => {
      const reader = new PlaceReader();
      for (const each of keys) {
        const parsed = parseProviderKey(each);
        expect(reader.read(each)).toEqual(
          parsed && {
            chunkId: chunkIdOf(parsed.id),
            offset: parseId(parsed.id).offset,
            renewal: parsed.renewals,
          },
        );
      }
    }),
  );
});
