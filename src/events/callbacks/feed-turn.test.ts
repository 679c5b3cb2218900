import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stateNumber } from '../../message/state.ts';
import type { CallbackProgress } from '../../store/events/callback-turn.ts';
import { compareFeedPlaces, feedStart, placeAt, placeBehind } from '../../store/reading/feed-place.ts';
import type { FeedRow } from '../../store/reading/read-events.ts';
import { messagesMax, readFeedTurn, rowsMax } from './feed-turn.ts';

const chunkId = '019e0000-0000-7000-8000-000000000000';

function rowOf(accountId: number, { number, messages = 1 }: { number: number; messages?: number }): FeedRow {
  return {
    ...{ kind: 'messages', writtenBy: BigInt(number), shard: 0, id: chunkId, seq: 1n, offset: -1 },
    ...{ at: new Date(0), accountId, routeId: 1, batch: null, state: stateNumber.sent, attempt: 1 },
    ...{ chunkCount: messages, offsets: null, errorCode: null, details: null, providerRefs: null },
  };
}

/** A feed that grows while turns are made of it. */
class Feed {
  readonly told: FeedRow[] = [];
  readonly #rows: FeedRow[] = [];
  #progress: CallbackProgress;

  constructor(progress: CallbackProgress = { front: feedStart, apart: new Map() }) {
    this.#progress = progress;
  }

  get progress(): CallbackProgress {
    return this.#progress;
  }

  /** Rows of these accounts, in this order. */
  add(accountIds: readonly number[], messages?: number): void {
    for (const accountId of accountIds) {
      const number = this.#rows.length + 1;
      this.#rows.push(rowOf(accountId, { number, ...(messages !== undefined && { messages }) }));
    }
  }

  /** Makes a turn: what it tells. */
  async turn(accountIds: Iterable<number>): Promise<FeedRow[]> {
    const { rows, progress } = await readFeedTurn({
      progress: this.#progress,
      accountIds: new Set(accountIds),
      isWanted: () => true,
      read: async (page) => {
        const { after, until = placeAt(BigInt(this.#rows.length + 1), null) } = page;
        const within = this.#rows
          .slice(Math.max(0, Number(after.writtenBy) - 1))
          .filter(
            (row) =>
              page.accountIds.includes(row.accountId) &&
              compareFeedPlaces(placeBehind(row, null), until) <= 0,
          );
        const read = within.slice(0, page.rowsMax);
        return { rows: read, next: within.length > page.rowsMax ? placeBehind(read.at(-1)!, null) : until };
      },
    });
    this.#progress = progress;
    this.told.push(...rows);
    return rows;
  }

  async tellAll(accountIds: readonly number[]): Promise<void> {
    while ((await this.turn(accountIds)).length > 0 || this.#progress.apart.size > 0);
  }
}

const many = (accountId: number, count: number) => Array.from({ length: count }, () => accountId);
const numbersOf = (rows: readonly FeedRow[], accountId: number) =>
  rows.filter((row) => row.accountId === accountId).map(({ writtenBy }) => writtenBy);

test('what one account has in the feed by the thousand keeps another waiting for one turn at most', async () => {
  const feed = new Feed();
  feed.add(many(1, 5_000));
  feed.add([2]);
  expect(numbersOf(await feed.turn([1, 2]), 2)).toEqual([]);
  expect(numbersOf(await feed.turn([1, 2]), 2)).toEqual([5_001n]);
});

test('few rows of many messages crowd as many rows do', async () => {
  const feed = new Feed();
  feed.add(many(1, 50), 1_000);
  feed.add([2]);
  await feed.turn([1, 2]);
  expect(numbersOf(await feed.turn([1, 2]), 2)).toEqual([51n]);
});

test('of several floods each goes on in its turn, and who comes late waits for none of them', async () => {
  const feed = new Feed();
  feed.add(Array.from({ length: 6_000 }, (_, n) => 1 + (n % 3)));
  const all = [1, 2, 3, 4];
  for (let turn = 0; turn < 20; turn++) {
    feed.add([4]);
    await feed.turn(all);
  }
  expect(numbersOf(feed.told, 4).length).toBeGreaterThanOrEqual(19);
  const told = [1, 2, 3].map((accountId) => numbersOf(feed.told, accountId).length);
  expect(Math.max(...told) - Math.min(...told)).toBeLessThanOrEqual(rowsMax);
});

test('of a dozen floods side by side each is set apart', async () => {
  const feed = new Feed();
  const floods = Array.from({ length: 12 }, (_, n) => 1 + n);
  feed.add(Array.from({ length: 2_400 }, (_, n) => floods[n % floods.length]!));
  feed.add([100]);
  await feed.turn([...floods, 100]);
  expect(numbersOf(await feed.turn([...floods, 100]), 100)).toHaveLength(1);
  expect(feed.progress.apart.size).toBe(12);
});

test('those apart that have little left are told of in one turn', async () => {
  const feed = new Feed({
    front: placeAt(25n, null),
    apart: new Map([1, 2, 3].map((accountId) => [accountId, feedStart])),
  });
  feed.add([1, 2, 3].flatMap((accountId) => many(accountId, 8)));
  expect(await feed.turn([1, 2, 3, 4])).toHaveLength(24);
  expect(feed.progress.apart.size).toBe(0);
});

test('an account that nobody else waits for has whole turns', async () => {
  const feed = new Feed();
  feed.add(many(1, 1_000));
  for (let turn = 0; turn < 5; turn++) {
    // The last row of the turn before is read again.
    expect((await feed.turn([1])).length).toBeGreaterThanOrEqual(rowsMax - 1);
    expect(feed.progress.apart.size).toBe(0);
  }
});

test('an account that has come as far as the others is one of them again, and one that is told of nothing any more is forgotten', async () => {
  const feed = new Feed();
  feed.add(many(1, 500));
  feed.add(many(2, 500));
  await feed.turn([1, 2, 3]);
  await feed.turn([1, 2, 3]);
  expect([...feed.progress.apart.keys()].sort()).toEqual([1, 2]);
  await feed.turn([1, 3]);
  expect([...feed.progress.apart.keys()]).toEqual([1]);
  await feed.tellAll([1, 3]);
  await feed.turn([1, 3]);
  expect(feed.progress.apart.size).toBe(0);
});

test('whoever floods, each row is told once, in the order of its account', async () => {
  const bursts = fc.array(
    fc.record({ accountId: fc.integer({ min: 1, max: 6 }), count: fc.integer({ min: 1, max: 150 }) }),
    { minLength: 1, maxLength: 6 },
  );
  const sizes = fc.constantFrom(1, 40, messagesMax);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(bursts, sizes, fc.nat(6)), { maxLength: 4 }), async (rounds) => {
      const feed = new Feed();
      const all = [1, 2, 3, 4, 5, 6];
      const added = new Map<number, number>();
      for (const [round, messages, turns] of rounds) {
        for (const { accountId, count } of round) {
          feed.add(many(accountId, count), messages);
          added.set(accountId, (added.get(accountId) ?? 0) + count);
        }
        for (let turn = 0; turn < turns; turn++) await feed.turn(all);
      }
      await feed.tellAll(all);
      for (const accountId of all) {
        const told = numbersOf(feed.told, accountId);
        expect(told.length).toBe(added.get(accountId) ?? 0);
        expect(told).toEqual([...new Set(told)].sort((a, b) => Number(a - b)));
      }
    }),
    { numRuns: 40 },
  );
});
