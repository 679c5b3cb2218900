import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bloomFilter, bloomHas, bloomLengths, bloomPositions } from './bloom.ts';
import { LookupHashes, lookupHash } from './lookup-hash.ts';

const keys = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 40 }), { minLength: 1, maxLength: 300 });

test('a filter has every key that it was made of', () => {
  fc.assert(
    fc.property(keys, (texts) => {
      const hashes = hashesOf(texts);
      const filter = bloomFilter(hashes.halves, hashes.count);
      expect(bloomLengths).toContain(filter.length);
      for (const hash of hashes.toBigInts()) expect(bloomHas(filter, hash)).toBe(true);
    }),
  );
});

test('a full filter lets at most one stranger in two hundred through', () => {
  const filter = filterOfPhones(1_000);
  let through = 0;
  for (let number = 0; number < 20_000; number++) {
    if (bloomHas(filter, lookupHash('ref', 7, `stranger-${number}`))) through++;
  }
  expect(filter.length).toBe(1_536);
  expect(through).toBeLessThan(100);
});

test('positions never change, and lie in the filter', () => {
  const hash = lookupHash('to', 1, '+31612345678');
  expect(hash).toBe(-4338275571385212724n);
  expect(bloomPositions(hash, 1_536)).toEqual([6490, 2598, 10995, 7106, 3220, 11626, 7749]);
  for (const length of bloomLengths) {
    for (const position of bloomPositions(hash, length)) expect(position).toBeLessThan(length * 8);
  }
});

test('a recipient is found whatever the case of its domain, and apart from an equal reference', () => {
  const hash = lookupHash('to', 1, 'Ada@Example.COM');
  expect(lookupHash('to', 1, 'Ada@example.com')).toBe(hash);
  expect(lookupHash('to', 1, 'ada@example.com')).not.toBe(hash);
  expect(lookupHash('ref', 1, 'Ada@example.com')).not.toBe(hash);
  expect(lookupHash('to', 2, 'Ada@example.com')).not.toBe(hash);
  expect(lookupHash('to', 1, 'https://a.example/@X')).not.toBe(lookupHash('to', 1, 'https://a.example/@x'));
});

function hashesOf(texts: readonly string[]): LookupHashes {
  const hashes = new LookupHashes('ref', { accountId: 7, max: texts.length });
  for (const text of texts) {
    const bytes = Buffer.from(text);
    hashes.add(bytes, 0, bytes.length);
    expect(hashes.toBigInts().at(-1)).toBe(lookupHash('ref', 7, text));
  }
  return hashes;
}

function filterOfPhones(count: number): Uint8Array {
  const hashes = new LookupHashes('to', { accountId: 7, max: count });
  for (let number = 0; number < count; number++) {
    const bytes = Buffer.from(`+3161${number}`);
    hashes.add(bytes, 0, bytes.length);
  }
  return bloomFilter(hashes.halves, count);
}
