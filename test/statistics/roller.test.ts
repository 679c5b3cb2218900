import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StatisticsRoller } from '../../src/events/statistics/statistics-roller.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { remainingTags, tagsCountedMax } from '../../src/message/statistics/series-tallies.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { addFold } from '../../src/store/statistics/add-fold.ts';
import { emptyDeltaSlot } from '../../src/store/statistics/empty-delta-slot.ts';
import { dropFold, type Fold, foldDeltas } from '../../src/store/statistics/fold-deltas.ts';
import { dropExpiredStatistics } from '../../src/store/statistics/statistics-partitions.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Counted, days, insertDelta, sumsOf, tableRows } from './deltas.ts';

const batch = '01932c07-a3b0-7005-8000-000000000000';
const hourMs = 3_600_000;
const dayMs = 86_400_000;

let database: Database;

beforeEach(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 4, name: 'statistics test' });
});

afterEach(() => database.close());

function roller(): StatisticsRoller {
  return new StatisticsRoller({
    ...{ database, statistics: database, days, clock: systemClock },
    onDropped: () => {},
  });
}

const now = () => ({ days, nowMs: Date.now() });

async function countRows(table: string): Promise<number> {
  const text = `SELECT count(*)::integer AS count FROM ${table}`;
  return (await database.query<{ count: number }>({ name: '', text })).rows[0]!.count;
}

test('what transactions counted is summed up by minute, hour and day, and is gone from the queue', async () => {
  await insertDelta(database, [
    { batch, counts: { accepted: 10 } },
    { batch, tag: 'a', counts: { accepted: 4 } },
    { counts: { accepted: 1 } },
  ]);
  await insertDelta(database, [{ batch, counts: { sent: 9, attempts: 11 }, waits: [[7, 10]] }]);
  await insertDelta(database, [{ accountId: 2, counts: { sent: 5, attempts: 5 }, waits: [[7, 5]] }]);
  expect(await roller().runOnce()).toBe(true);
  for (const step of ['minute', 'hour', 'day']) {
    const sums = await sumsOf(database, { step });
    expect(sums).toMatchObject({ accepted: 11, sent: 9, attempts: 11, failed: 0 });
    expect(await sumsOf(database, { step, kind: 1 })).toMatchObject({ accepted: 10, sent: 9 });
    expect(await sumsOf(database, { step, kind: 2 })).toMatchObject({ accepted: 4, sent: 0 });
    expect(await sumsOf(database, { step, kind: 3 })).toMatchObject({ accepted: 4, sent: 0 });
    expect(await sumsOf(database, { step, accountId: 0 })).toMatchObject({ accepted: 11, sent: 14 });
  }
  const all = (await tableRows(database, 'day')).find((row) => row.kind === 0 && row.account_id === 0);
  expect(all).toMatchObject({ waits: '7:15' });
  expect([await countRows('statistics_delta'), await countRows('statistics_fold')]).toEqual([0, 0]);
});

test('a tag that PostgreSQL cannot hold, of a line that is stored already, stops nothing', async () => {
  await insertDelta(database, [{ tag: 'a\0b', counts: { sent: 2 } }, { counts: { sent: 3 } }]);
  expect(await roller().runOnce()).toBe(true);
  expect(await sumsOf(database, { step: 'day' })).toMatchObject({ sent: 3 });
  const tags = (await tableRows(database, 'day')).flatMap(({ tag }) => (tag === '' ? [] : [tag]));
  expect(tags).toEqual(['a\ufffdb']);
});

test('in whatever order deltas come, folds are merged and moves are repeated, the totals are the same', async () => {
  const counted = fc.record({
    agoMs: fc.constantFrom(0, 59_000, hourMs, dayMs, 3 * dayMs, 40 * dayMs),
    accountId: fc.integer({ min: 1, max: 3 }),
    routeId: fc.integer({ min: 1, max: 2 }),
    batch: fc.constantFrom(null, batch),
    tag: fc.constantFrom(null, null, 'a', 'b'),
    counts: fc.record({ sent: fc.nat(9), attempts: fc.nat(9), failed: fc.nat(9) }),
    waits: fc.array(fc.tuple(fc.nat(62), fc.integer({ min: 1, max: 9 })), { maxLength: 3 }),
  });
  const action = fc.constantFrom<'fold' | 'move' | 'repeat' | 'crash'>('fold', 'move', 'repeat', 'crash');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(counted, { minLength: 1, maxLength: 4 }), action), {
        minLength: 1,
        maxLength: 25,
      }),
      fc.infiniteStream(fc.nat()),
      async (work, random) => {
        await empty();
        for (const [delta] of work) await insertDelta(database, delta);
        await roller().runOnce();
        const expected = await snapshot();
        await empty();
        const shuffled = work
          .map((item) => ({ item, at: random.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ item }) => item);
        const sent: Fold[] = [];
        for (const [delta, what] of shuffled) {
          await insertDelta(database, delta);
          const turn = await foldDeltas(database, { seal: what !== 'fold' });
          if (turn?.sealed && what !== 'fold') {
            await addFold(database, { fold: turn.sealed, ...now() });
            sent.push(turn.sealed);
            // After a crash the fold is still there, and moved again.
            if (what !== 'crash') await dropFold(database, turn.sealed);
          }
          if (what === 'repeat') for (const fold of sent) await addFold(database, { fold, ...now() });
        }
        await Promise.all([roller().runOnce(), roller().runOnce()]);
        await roller().runOnce();
        expect(await snapshot()).toEqual(expected);
      },
    ),
    { numRuns: 15 },
  );
});

async function empty(): Promise<void> {
  for (const table of ['minute', 'hour', 'day', 'moved', 'fold', 'delta', 'source']) {
    await database.query({ name: '', text: `TRUNCATE statistics_${table}` });
  }
}

/** Days, and sums of minutes and hours: what lies at the edge of one may fall to either side of it from run to run. */
async function snapshot() {
  const days = (await tableRows(database, 'day')).map(({ at: _, ...row }) => row);
  const sums = [];
  for (const step of ['minute', 'hour']) {
    for (const accountId of [0, 1, 2, 3]) {
      for (const kind of [0, 1, 2, 3]) sums.push(await sumsOf(database, { step, kind, accountId }));
    }
  }
  const byKind = new Map<string, number>();
  for (const row of days) {
    const key = `${row.kind} ${row.account_id} ${row.route_id} ${row.batch} ${row.tag}`;
    byKind.set(key, (byKind.get(key) ?? 0) + Number(row.sent) * 1_000 + Number(row.failed));
  }
  return { sums, byKind: [...byKind].sort() };
}

test('what waits while nothing can be moved grows with series and minutes, not with messages', async () => {
  for (let n = 0; n < 300; n++) {
    const some: Counted[] = [{ accountId: 1 + (n % 3), batch, counts: { sent: 1, attempts: 1 } }];
    await insertDelta(database, some);
    await foldDeltas(database, { seal: false });
  }
  const { rows } = await database.query<{ folds: number; bytes: number }>({
    name: '',
    text: 'SELECT count(*)::integer AS folds, sum(length(entries))::integer AS bytes FROM statistics_fold',
  });
  expect(rows[0]!.folds).toBeLessThan(30);
  expect(rows[0]!.bytes).toBeLessThan(15_000);
  await roller().runOnce();
  expect(await sumsOf(database, { accountId: 0 })).toMatchObject({ sent: 300, attempts: 300 });
});

test('tags beyond a number are counted together', async () => {
  const tagged = Array.from(
    { length: tagsCountedMax + 30 },
    (_, n): Counted => ({
      tag: `tag ${n}`,
      counts: { sent: 1 },
    }),
  );
  for (const one of tagged) await insertDelta(database, [one]);
  await roller().runOnce();
  await insertDelta(database, [
    { tag: 'tag 3', counts: { sent: 1 } },
    { tag: 'new', counts: { sent: 2 } },
  ]);
  await roller().runOnce();
  const rows = (await tableRows(database, 'day')).filter(({ kind }) => kind === 2);
  expect(rows).toHaveLength(tagsCountedMax + 1);
  expect(rows.find(({ tag }) => tag === remainingTags)).toMatchObject({ sent: '32' });
  expect(rows.find(({ tag }) => tag === 'tag 3')).toMatchObject({ sent: '2' });
});

test('steps are kept as long as they are to be, and what comes later than that counts in longer ones', async () => {
  await insertDelta(database, [
    { agoMs: 0, counts: { sent: 1 } },
    { agoMs: 6 * dayMs, counts: { sent: 10 } },
    { agoMs: 60 * dayMs, counts: { sent: 100 } },
    { agoMs: 400 * dayMs, counts: { sent: 1_000 } },
  ]);
  await roller().runOnce();
  const sent = async (step: string) => (await sumsOf(database, { step })).sent;
  expect([await sent('minute'), await sent('hour'), await sent('day')]).toEqual([11, 111, 1_111]);
  const dropped: string[] = [];
  const onDropped = (name: string) => dropped.push(name);
  await dropExpiredStatistics(database, {
    days: { minute: 2, hour: 2, day: 800 },
    nowMs: Date.now(),
    onDropped,
  });
  expect([await sent('minute'), await sent('day')]).toEqual([1, 1_111]);
  expect(dropped.filter((name) => name.startsWith('statistics_minute_'))).toHaveLength(1);
});

test('a partition of deltas that is written to no more is truncated when it is empty', async () => {
  const slots = async () => {
    const { rows } = await database.query<{ slot: number; bytes: number }>({
      name: '',
      text: `SELECT slot, pg_relation_size(('statistics_delta_' || slot)::regclass)::integer AS bytes
        FROM generate_series(0, 2) AS slot`,
    });
    return rows.filter(({ bytes }) => bytes > 0).map(({ slot }) => slot);
  };
  await database.query({
    name: '',
    text: `INSERT INTO statistics_delta (shard, id, slot, at, entries) SELECT 1, n, n % 3, now(), '[]'
      FROM generate_series(1, 30) AS n`,
  });
  expect(await emptyDeltaSlot(database)).toBe(false);
  expect(await slots()).toHaveLength(3);
  await roller().runOnce();
  expect(await slots()).toHaveLength(2);
});
