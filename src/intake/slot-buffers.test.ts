import { expect, test } from 'vitest';
import { SlotBuffers } from './slot-buffers.ts';

const kB = 1_024;

/** As an upload has so many under way at once, then gives them back. */
function use(buffers: SlotBuffers, count: number, bytes: number) {
  const taken = Array.from({ length: count }, () => buffers.take(bytes).buffer);
  for (const buffer of taken) buffers.give(buffer);
  return taken;
}

test('large slots come back though many small ones were kept before', () => {
  const buffers = new SlotBuffers();
  use(buffers, 200, 64 * kB);
  const large = new Set(use(buffers, 8, 512 * kB));
  expect(use(buffers, 8, 512 * kB).every((buffer) => large.has(buffer))).toBe(true);
});

test('a small slot leaves a large buffer to a large one', () => {
  const buffers = new SlotBuffers();
  const large = buffers.take(640 * kB).buffer;
  const small = buffers.take(128 * kB).buffer;
  for (const buffer of [large, small]) buffers.give(buffer);
  expect(buffers.take(100 * kB).buffer).toBe(small);
  expect(buffers.take(600 * kB).buffer).toBe(large);
});

test('what is kept stays bounded, whatever was given back', () => {
  const buffers = new SlotBuffers();
  const given = [
    use(buffers, 100, 192 * kB),
    use(buffers, 100, 128 * kB),
    use(buffers, 3, 4_096 * kB),
  ].flat();
  const seen = new Set<SharedArrayBuffer>(given);
  let keptBytes = 0;
  for (let index = 0; index < given.length; index++) {
    const { buffer } = buffers.take(1);
    if (seen.has(buffer)) keptBytes += buffer.byteLength;
  }
  expect(keptBytes).toBeGreaterThan(0);
  expect(keptBytes).toBeLessThanOrEqual(8 * 1_048_576);
});
