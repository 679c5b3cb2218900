import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bitmapOf } from '../../message/bitmap.ts';
import { Lane } from '../backlog/lane.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { Tenure } from '../ownership/tenure.ts';
import { type ChunkOrder, type FreedMessage, KeySequence } from './key-sequence.ts';

function chunkOf(count: number): PendingChunk {
  const tenure = new Tenure({ shard: 5, epoch: 7, sinceMs: 0 });
  const lane = new Lane({ accountId: 1, routeId: 1, priority: 1 }, 1);
  const known = { id: 'c', tenure, lane, batch: null, count, place: 'waiting' as const };
  return { ...known, remaining: null, dueAtMs: 0, fresh: false };
}

interface Message {
  order: ChunkOrder;
  offset: number;
  key: number;
  ended: boolean;
}

const chunks = fc.array(
  fc.array(fc.record({ key: fc.nat(4), done: fc.boolean() }), { minLength: 1, maxLength: 6 }),
  {
    minLength: 1,
    maxLength: 8,
  },
);

test('a message may go when every earlier one of its key has ended, in whatever order they end or chunks are read', () => {
  fc.assert(
    fc.property(chunks, fc.infiniteStream(fc.nat(999)), (all, dice) => {
      const sequence = new KeySequence(1);
      const messages: Message[] = [];
      const toRead = [...all];
      const next = () => dice.next().value!;
      for (;;) {
        const open = messages.filter(({ ended }) => !ended);
        if (toRead.length > 0 && (open.length === 0 || next() % 3 === 0)) {
          read(sequence, { chunk: toRead.shift()!, messages });
        } else if (open.length > 0) {
          // Now and then one that waits is canceled.
          const mayGo = open.filter(({ order, offset }) => !order.isWaiting(offset));
          const ending = next() % 5 === 0 ? open[next() % open.length]! : mayGo[next() % mayGo.length]!;
          end(sequence, { ending, messages });
        } else break;
        for (const { order, offset, key } of messages.filter(({ ended }) => !ended)) {
          const before = messages.filter(
            (other) => !other.ended && other.key === key && isBefore(other, { order, offset }),
          );
          expect(order.isWaiting(offset)).toBe(before.length > 0);
        }
      }
      expect(sequence.empty).toBe(true);
      expect(sequence.weight).toBe(0);
    }),
  );
});

function isBefore(one: FreedMessage, other: FreedMessage): boolean {
  if (one.order === other.order) return one.offset < other.offset;
  return one.order.serial < other.order.serial;
}

function read(
  sequence: KeySequence,
  { chunk, messages }: { chunk: { key: number; done: boolean }[]; messages: Message[] },
): void {
  const remaining = bitmapOf(
    chunk.length,
    chunk.flatMap(({ done }, offset) => (done ? [] : [offset])),
  );
  const keys = Int32Array.from(chunk.map(({ key }) => key - 2));
  const order = sequence.add(chunkOf(chunk.length), { keys, remaining });
  for (const [offset, { key, done }] of chunk.entries()) {
    if (!done) messages.push({ order, offset, key, ended: false });
  }
  if (chunk.every(({ done }) => done)) sequence.remove(order);
}

function end(sequence: KeySequence, { ending, messages }: { ending: Message; messages: Message[] }): void {
  const wasWaiting = ending.order.isWaiting(ending.offset);
  const follower = sequence.followerOf(ending.order, ending.offset);
  const freed = sequence.settle(ending.order, [ending.offset]);
  ending.ended = true;
  if (wasWaiting) expect(freed).toEqual([]);
  else expect(freed).toEqual(follower ? [follower] : []);
  expect(sequence.settle(ending.order, [ending.offset])).toEqual([]);
  const { order } = ending;
  expect(order.free).toBe(
    messages.filter((each) => each.order === order && !each.ended && !order.isWaiting(each.offset)).length,
  );
  if (messages.every((each) => each.order !== order || each.ended)) sequence.remove(order);
}

test('a replayed message goes for itself: nobody is held back by it', () => {
  const sequence = new KeySequence(1);
  const order = sequence.add(chunkOf(3), { keys: Int32Array.from([1, 1, 1]), remaining: null });
  expect(sequence.reopen(order, 0)).toBe(false);
  expect(sequence.settle(order, [0])).toEqual([{ order, offset: 1 }]);
  expect(sequence.reopen(order, 0)).toBe(true);
  expect(order.free).toBe(2);
  expect(sequence.followerOf(order, 0)).toBeUndefined();
  expect(sequence.settle(order, [1])).toEqual([{ order, offset: 2 }]);
  expect(sequence.settle(order, [0])).toEqual([]);
  expect(order.free).toBe(1);
});
