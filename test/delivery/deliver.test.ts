import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, type Mill, pendingCount, progressOf, until } from './mill.ts';

let mill: Mill;

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url, { batchMax: 100 });
});

afterEach(async () => {
  await mill.close();
});

test('every message of every chunk is sent once, with the defaults of its batch, and counted', async () => {
  const batch = await insertBatch(mill.database, { accepted: 2_500, defaults: { from: 'Millrace' } });
  for (const count of [1_000, 1_000, 500]) await insertChunk(mill.database, { batch, count });
  await insertChunk(mill.database, { count: 3 });
  mill.worker().start();
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(mill.received).toHaveLength(2_503);
  expect(new Set(mill.received.map(({ id }) => id)).size).toBe(2_503);
  expect(mill.received.filter(({ fields }) => fields.from === 'Millrace')).toHaveLength(2_500);
  expect(await progressOf(mill.database, batch)).toEqual({ 100: 2_500, 3: 2_500 });
  await until(async () => {
    const { rows } = await mill.database.query<{ counts: Record<string, number> | null }>(
      { name: 'counts', text: 'SELECT counts FROM batch WHERE id = $1 AND done_at IS NOT NULL' },
      [batch],
    );
    return rows[0]?.counts?.sent === 2_500 && rows[0].counts.accepted === 2_500;
  });
  expect(mill.errors).toEqual([]);
});

test('a payload goes to its connector as the text that was given, where its line ends with it', async () => {
  const payload = '{"b": 1.0, "1": []}';
  const lines = [
    `{"to":"a","payload":${payload}}`,
    `{"payload":${payload},"to":"b"}`,
    '{"to":"c","body":"x"}',
  ];
  await insertChunk(mill.database, { lines });
  mill.worker().start();
  await until(() => mill.received.length === 3);
  const received = mill.received.map(({ fields, payloadText }) => [fields.to, fields.payload, payloadText]);
  expect(received.sort()).toEqual([
    ['a', { b: 1, 1: [] }, payload],
    ['b', { b: 1, 1: [] }, undefined],
    ['c', undefined, undefined],
  ]);
});
