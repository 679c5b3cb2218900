import { expect, test } from 'vitest';
import { ConnectionTurns } from './connection-turns.ts';

test('everybody who waits is first once in a while, and those who come wait for those who were there', () => {
  const turns = new ConnectionTurns();
  const firsts: string[] = [];
  for (let nowMs = 0; nowMs < 8_000; nowMs += 250) {
    const first = turns.inTurn('conn:1', ['c', 'a', 'b'], nowMs)[0]!;
    if (firsts.at(-1) !== first) firsts.push(first);
  }
  expect(firsts).toEqual(['a', 'b', 'c', 'a']);
  expect(turns.inTurn('conn:1', ['d', 'a', 'c'], 7_900)).toEqual(['a', 'c', 'd']);
  expect(turns.inTurn('conn:2', ['d', 'a'], 7_900)).toEqual(['a', 'd']);
});
