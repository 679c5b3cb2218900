import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readUuidWords } from '../lib/uuid-words.ts';
import { makeChunkId, messageIds } from '../message/id.ts';
import { UuidSet } from './uuid-set.ts';

function add(set: UuidSet, text: string): boolean {
  const words = new Uint32Array(4);
  readUuidWords(text, words);
  return set.add(words);
}

it('holds exactly what a Set of their texts holds', () => {
  const fewBits = fc.tuple(
    ...Array.from({ length: 4 }, () => fc.constantFrom(0, 1, 0x8000_0000, 0xffff_ffff)),
  );
  fc.assert(
    fc.property(fc.array(fewBits, { maxLength: 400 }), (many) => {
      const set = new UuidSet();
      const model = new Set<string>();
      for (const words of many) {
        expect(set.add(Uint32Array.from(words))).toBe(!model.has(words.join()));
        model.add(words.join());
      }
      expect(set.size).toBe(model.size);
    }),
  );
});

it('counts hundreds of thousands of neighbouring ids once each, however often they come', () => {
  const set = new UuidSet();
  const chunks = Array.from({ length: 200 }, (_, n) =>
    makeChunkId({
      unixMs: 1_760_000_000_000 + (n >> 3),
      shard: n,
      random: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, n),
    }),
  );
  for (let round = 0; round < 2; round++) {
    for (const chunk of chunks) {
      for (const id of messageIds(chunk, 1_000)) {
        if (add(set, id) !== (round === 0)) throw new Error(`${id} in round ${round}`);
      }
    }
  }
  expect(set.size).toBe(200_000);
});
