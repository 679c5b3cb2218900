import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../../support/postgres.ts';
import { killProcesses } from '../../support/start-process.ts';
import { postgresApp } from '../app-database.ts';
import { runOutboxChaos } from './run-outbox-chaos.ts';

afterEach(killProcesses);

// `npm run outbox-chaos` does hundreds of kills over a million rows, and the same on MariaDB.
test('under kills of drainers and the server nothing staged is lost or doubled, and each key keeps its order', async () => {
  const { url: databaseUrl } = await createTestDatabase();
  const { url } = await createTestDatabase({ empty: true });
  const report = await runOutboxChaos({
    kills: 4,
    rows: 4_000,
    seed: 10,
    app: postgresApp(url),
    databaseUrl,
  });
  expect(report.broken, JSON.stringify(report, null, 2)).toEqual([]);
  expect(report).toMatchObject({ committed: 4_000, arrived: 4_000, lost: 0, doubled: 0 });
  expect(report.kills['the server']).toBeGreaterThan(0);
  expect(report.kills['the working drainer']).toBeGreaterThan(0);
  expect(report.rolledBack).toBeGreaterThan(0);
  expect(report.ordered).toBeGreaterThan(0);
}, 600_000);
