import { expect, test } from 'vitest';
import { ConnectionTurns } from './connection-turns.ts';

function asked(nowMs: number, { total = 1, urgent = [] as string[] } = {}) {
  return { nowMs, total, isUrgent: (worker: string) => urgent.includes(worker) };
}

test('everybody who waits is first once in a while, and those who come wait for those who were there', () => {
  const turns = new ConnectionTurns();
  const firsts: string[] = [];
  for (let nowMs = 0; nowMs < 8_000; nowMs += 250) {
    const first = turns.inTurn('conn:1', ['c', 'a', 'b'], asked(nowMs))[0]!;
    if (firsts.at(-1) !== first) firsts.push(first);
  }
  expect(firsts).toEqual(['a', 'b', 'c', 'a']);
  expect(turns.inTurn('conn:1', ['d', 'a', 'c'], asked(7_900))).toEqual(['a', 'c', 'd']);
  expect(turns.inTurn('conn:2', ['d', 'a'], asked(7_900))).toEqual(['a', 'd']);
});

test('interactive messages get the connection next, and soon, and bulk has its turns between them', () => {
  const turns = new ConnectionTurns();
  const firsts: { worker: string; atMs: number }[] = [];
  for (let nowMs = 0; nowMs < 8_000; nowMs += 100) {
    const worker = turns.inTurn('conn:1', ['a', 'b', 'c', 'd'], asked(nowMs, { urgent: ['d'] }))[0]!;
    if (firsts.at(-1)?.worker !== worker) firsts.push({ worker, atMs: nowMs });
  }
  expect(firsts.map(({ worker }) => worker)).toEqual(['a', 'd', 'b', 'd', 'c', 'd']);
  expect(firsts[1]!.atMs).toBeLessThan(1_000);
});

test('when the first one wants none any more, a whole turn of the next one begins', () => {
  const turns = new ConnectionTurns();
  turns.inTurn('conn:1', ['a', 'b', 'c'], asked(0));
  expect(turns.inTurn('conn:1', ['b', 'c'], asked(1_900))[0]).toBe('b');
  expect(turns.inTurn('conn:1', ['b', 'c'], asked(3_800))[0]).toBe('b');
  expect(turns.inTurn('conn:1', ['b', 'c'], asked(3_950))[0]).toBe('c');
});

test('of two connections one goes to the interactive messages, and the other stays where it is', () => {
  const turns = new ConnectionTurns();
  const workers = ['a', 'b', 'c', 'd'];
  turns.inTurn('conn:1', workers, asked(0, { total: 2 }));
  const order = turns.inTurn('conn:1', workers, asked(1_000, { total: 2, urgent: ['d'] }));
  expect(order.slice(0, 2)).toEqual(['b', 'd']);
});
