import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from './fifo.ts';
import { MinHeap } from './min-heap.ts';

test('a heap gives its items back in order of key', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (keys) => {
      const heap = new MinHeap<number>();
      for (const key of keys) heap.push(key, key);
      expect(heap.minKey).toBe(Math.min(...keys, Number.POSITIVE_INFINITY));
      const out = keys.map(() => heap.pop());
      expect(out).toEqual([...keys].sort((a, b) => a - b));
      expect(heap.pop()).toBeUndefined();
    }),
  );
});

test('a queue gives its items back in the order they came, however pushes and shifts mix', () => {
  const steps = fc.array(fc.record({ push: fc.nat(3_000), shift: fc.nat(3_000) }), { maxLength: 8 });
  fc.assert(
    fc.property(steps, (mix) => {
      const queue = new Fifo<number>();
      let pushed = 0;
      let shifted = 0;
      for (const step of mix) {
        for (let n = 0; n < step.push; n++) queue.push(pushed++);
        for (let n = 0; n < step.shift && shifted < pushed; n++) {
          if (queue.shift() !== shifted++) throw new Error('out of order');
        }
        expect(queue.length).toBe(pushed - shifted);
        expect(queue.peek()).toBe(shifted < pushed ? shifted : undefined);
      }
    }),
    { numRuns: 30 },
  );
});
