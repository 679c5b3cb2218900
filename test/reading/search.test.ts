import { afterAll, beforeAll, expect, test } from 'vitest';
import { searchMessages } from '../../src/api/reading/search-messages.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { bloomFilter, bloomLengths, bloomPositions } from '../../src/message/bloom.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { isId, makeChunkId, messageIdAt, shardOf } from '../../src/message/id.ts';
import { lookupHash } from '../../src/message/lookup-hash.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { insertChunks } from '../../src/store/intake/insert-chunks.ts';
import { createTestDatabase } from '../support/postgres.ts';

const to = '+31612345678';
const hourMs = 3_600_000;
let database: Database;
/** Newest first: one chunk an hour, over the day that partitions exist for. */
const ids: string[] = [];

beforeAll(async () => {
  database = openDatabase({ url: (await createTestDatabase()).url, poolSize: 2, name: 'search test' });
  for (let hour = 0; hour < 20; hour++) {
    const random = Uint8Array.from({ length: 8 }, () => Math.floor(Math.random() * 256));
    const id = makeChunkId({ unixMs: Date.now() - hour * hourMs, shard: hour * 50, random });
    await storeChunk(id, [`{"to":"+1555000${1_000 + hour}"}`, `{"to":"${to}"}`]);
    ids.push(messageIdAt(id, 1));
  }
});

afterAll(() => database.close());

async function storeChunk(id: string, lines: string[]): Promise<void> {
  const hashes = lines.map((line) => lookupHash('to', 1, JSON.parse(line).to));
  const chunk = {
    id,
    accountId: 1,
    routeId: 1,
    priority: 0,
    count: lines.length,
    ...encodeChunk(Buffer.from(lines.join('\n'))),
    timed: false,
    dueAt: null,
    lookup: { hashes },
  };
  await database.transaction((transaction) =>
    insertChunks(transaction, { shard: shardOf(id), batch: null, chunks: [chunk] }),
  );
}

async function searchAll(
  clock: typeof systemClock,
  more: object = {},
): Promise<{ found: string[]; pages: number }> {
  const found: string[] = [];
  for (let after: string | undefined, pages = 1; ; pages++) {
    const page = await searchMessages(
      { database, clock },
      { accountId: 1, kind: 'to', value: to, limit: 3, after, ...more },
    );
    found.push(...page.found.map(({ chunk, offset }) => messageIdAt(chunk.id, offset)));
    if (page.next === null) return { found, pages };
    expect(isId(page.next)).toBe(true);
    after = page.next;
  }
}

test('a search that runs out of time goes on where it stopped, and skips and repeats nothing', async () => {
  let elapsedMs = 0;
  // Every look at the clock shows the budget spent, so that each page ends after its first query.
  const hasty = { ...systemClock, monotonicMs: () => (elapsedMs += 10_000) };
  const whole = await searchAll(systemClock);
  expect(whole.found).toEqual(ids);
  const inPieces = await searchAll(hasty);
  expect(inPieces.found).toEqual(ids);
  expect(inPieces.pages).toBeGreaterThan(whole.pages);
});

test('a search between two times finds exactly what was created between them', async () => {
  const nowMs = Date.now();
  const more = { sinceMs: nowMs - 9.5 * hourMs, untilMs: nowMs - 2.5 * hourMs };
  expect((await searchAll(systemClock, more)).found).toEqual(ids.slice(3, 10));
});

test('PostgreSQL finds in a filter of every length the bits that were set in it', async () => {
  for (const length of bloomLengths) {
    const count = Math.floor((length * 8) / 12.288);
    const halves = Uint32Array.from({ length: 2 * count }, () => Math.floor(Math.random() * 2 ** 32));
    const filter = bloomFilter(halves, count);
    expect(filter).toHaveLength(length);
    const positions = Array.from({ length: count }, (_, index) =>
      bloomPositions((BigInt(halves[2 * index]!) << 32n) | BigInt(halves[2 * index + 1]!), length),
    ).flat();
    const { rows } = await database.query<{ all: boolean }>(
      { name: '', text: 'SELECT bool_and(get_bit($1, n) = 1) AS all FROM unnest($2::bigint[]) AS n' },
      [filter, positions],
    );
    expect(rows[0]!.all, `${length} bytes`).toBe(true);
  }
});
