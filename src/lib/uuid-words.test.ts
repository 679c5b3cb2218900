import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readUuidWords } from './uuid-words.ts';

it('reads the 128 bits of every UUID', () => {
  const words = new Uint32Array(4);
  fc.assert(
    fc.property(fc.uuid(), fc.boolean(), (text, upper) => {
      expect(readUuidWords(upper ? text.toUpperCase() : text, words)).toBe(true);
      const hex = [...words].map((word) => word.toString(16).padStart(8, '0')).join('');
      expect(hex).toBe(text.replaceAll('-', ''));
    }),
  );
});

it('refuses a UUID with any one character changed to none of its own', () => {
  fc.assert(
    fc.property(
      fc.uuid(),
      fc.nat(35),
      fc.constantFrom('g', '-', '/', ':', '@', '`', 'é', '0', '\0'),
      (text, at, wrong) => {
        const changed = text.slice(0, at) + wrong + text.slice(at + 1);
        const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(changed);
        expect(readUuidWords(changed, new Uint32Array(4))).toBe(isUuid);
      },
    ),
  );
});
