import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SetDigest } from './set-digest.ts';

const uuids = fc.uniqueArray(fc.uuid(), { maxLength: 50 });

function digestOf(ids: readonly string[]): string {
  const digest = new SetDigest();
  for (const id of ids) digest.add(id);
  return digest.toHex();
}

it('the order of the ids does not matter', () => {
  fc.assert(
    fc.property(uuids, (ids) => {
      expect(digestOf([...ids].sort())).toBe(digestOf([...ids].reverse()));
      expect(digestOf(ids.map((id) => id.toUpperCase()))).toBe(digestOf(ids));
    }),
  );
});

it('one id more or less, or another one, is noticed', () => {
  fc.assert(
    fc.property(uuids, fc.uuid(), (ids, other) => {
      fc.pre(ids.length > 0 && !ids.includes(other));
      const digest = digestOf(ids);
      expect(digestOf([...ids, other])).not.toBe(digest);
      expect(digestOf(ids.slice(1))).not.toBe(digest);
      expect(digestOf([...ids.slice(1), other])).not.toBe(digest);
    }),
  );
});

it('halves that change partners are noticed', () => {
  const a = ['00000000-0000-0001-0000-000000000001', '00000000-0000-0002-0000-000000000002'];
  const b = ['00000000-0000-0001-0000-000000000002', '00000000-0000-0002-0000-000000000001'];
  expect(digestOf(a)).not.toBe(digestOf(b));
});

it('stays what it is: other processes and stored reports compare with it', () => {
  expect(digestOf([])).toBe('00000000000000000000000000000000');
  expect(digestOf(['0190b3e8-0000-7000-8000-000000000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff'])).toBe(
    '9bcf328aa4c54967b3febd9208545c5c',
  );
});

it.each([
  '',
  'x',
  '0190b3e8-0000-7000-8000-00000000000g',
  '0190b3e8000070008000000000000001',
  '0190b3e8-0000-7000-8000-0000000000011',
  '0190b3e8-0000-7000-8000-00000000000ä',
])('text that is no UUID is refused: %j', (text) => {
  expect(() => new SetDigest().add(text)).toThrow(RangeError);
});
