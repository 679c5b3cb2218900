import { describe, expect, test } from 'vitest';
import { inOrder } from './in-order.ts';

async function* numbers(count: number): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) yield number;
}

describe('work done beside each other', () => {
  test('gives its results in order, however long each takes', async () => {
    const results: number[] = [];
    const work = (number: number) =>
      new Promise<number>((resolve) => {
        // The later of two finishes first.
        if (number % 2 === 0) setImmediate(() => setImmediate(() => resolve(number)));
        else setImmediate(() => resolve(number));
      });
    for await (const result of inOrder(numbers(9), { work, aheadMax: 3 })) results.push(result);
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('never runs more at once than it may', async () => {
    let running = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    for await (const _ of inOrder(numbers(20), { work, aheadMax: 4 })) expect(running).toBeLessThanOrEqual(4);
    expect(most).toBe(4);
  });

  test('gives what came before a failure, then the failure', async () => {
    const results: number[] = [];
    const work = async (number: number) => {
      if (number === 2) throw new Error('the third');
      return number;
    };
    const run = async () => {
      for await (const result of inOrder(numbers(9), { work, aheadMax: 3 })) results.push(result);
    };
    await expect(run()).rejects.toThrow('the third');
    expect(results).toEqual([0, 1]);
  });
});
