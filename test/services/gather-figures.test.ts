import { expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { gatherFigures } from '../../src/services/gather-figures.ts';
import { openDatabase } from '../../src/store/database.ts';
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
    gatherFigures({ database, clock: systemClock, onError: (error) => errors.push(error) }),
  );
  const page = await metrics.render();
  expect(page).toMatch(/^millrace_database_up 0$/m);
  expect(page).not.toMatch(/^millrace_shards_without_owner/m);
  expect(page).not.toMatch(/^millrace_backlog/m);
  expect(errors).toHaveLength(1);
});
