import { expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { gatherFigures } from '../../src/services/gather-figures.ts';
import { openDatabase } from '../../src/store/database.ts';
import { faultOf } from '../../src/store/fault.ts';
import { createTestDatabase } from '../support/postgres.ts';

test('however many ask at a moment, the database is asked once, and not again for seconds', async () => {
  const { url } = await createTestDatabase();
  const database = openDatabase({ url, poolSize: 1, name: 'figures test' });
  let queries = 0;
  let nowMs = 1_000;
  const read = gatherFigures({
    database: {
      ...database,
      query: (statement, values) => {
        queries++;
        return database.query(statement, values);
      },
    },
    full: () => undefined,
    clock: { ...systemClock, monotonicMs: () => nowMs },
    onError: (error) => {
      throw error;
    },
  });
  const metrics = createMetrics();
  metrics.readDatabase(read);
  const page = await metrics.render();
  expect(page).toMatch(/^millrace_database_up 1$/m);
  // Nobody delivers here.
  expect(page).toMatch(/^millrace_shards_without_owner 1024$/m);
  const once = queries;
  nowMs += 4_900;
  await Promise.all([metrics.render(), metrics.render()]);
  expect(queries).toBe(once);
  nowMs += 200;
  await metrics.render();
  expect(queries).toBe(2 * once);
  await database.close();
});

test('while the database does not tell, its figures are absent and it is said so', async () => {
  const { url } = await createTestDatabase();
  const database = openDatabase({ url, poolSize: 1, name: 'figures test' });
  await database.close();
  const errors: unknown[] = [];
  const metrics = createMetrics();
  metrics.readDatabase(
    gatherFigures({
      database,
      full: () => undefined,
      clock: systemClock,
      onError: (error) => errors.push(error),
    }),
  );
  const page = await metrics.render();
  expect(page).toMatch(/^millrace_database_up 0$/m);
  expect(page).not.toMatch(/^millrace_shards_without_owner/m);
  expect(page).not.toMatch(/^millrace_backlog/m);
  expect(errors).toHaveLength(1);
});

test.each([
  ['takes writes', {}, 1],
  ['is read-only', { readOnly: true }, 0],
  ['is full', { isFull: true }, 0],
])('a database that %s is told as such', async (_what, { readOnly, isFull }: Trouble, told) => {
  const url = new URL((await createTestDatabase()).url);
  if (readOnly) url.searchParams.set('options', '-c default_transaction_read_only=on');
  const database = openDatabase({ url: url.href, poolSize: 1, name: 'figures test' });
  const metrics = createMetrics();
  const full = () => (isFull ? faultOf(Object.assign(new Error('full'), { code: '53100' })) : undefined);
  const onError = (error: unknown) => {
    throw error;
  };
  metrics.readDatabase(gatherFigures({ database, full, clock: systemClock, onError }));
  const page = await metrics.render();
  await database.close();
  expect(page).toMatch(/^millrace_database_up 1$/m);
  expect(page).toMatch(new RegExp(`^millrace_database_writable ${told}$`, 'm'));
});

interface Trouble {
  readOnly?: boolean;
  isFull?: boolean;
}
