import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { killProcesses } from '../support/start-process.ts';
import { runRolling } from './run-rolling.ts';

const namedMax = 10;
const movesSlack = 1.05;

afterEach(killProcesses);

needs('haproxy')(
  'servers behind HAProxy are restarted, added and removed under a flood without a failed request, a lost or doubled message, or a shard moved in vain',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-rolling-'));
    try {
      const { url: databaseUrl } = await createTestDatabase();
      const report = await runRolling({ databaseUrl, directory, rounds: 1, say: () => {} });
      expect(report.failures).toEqual([]);
      expect(report.statuses).toEqual([0, 0, 0, 0, 0]);
      const { accepted } = report;
      expect(report).toMatchObject({ received: accepted, distinct: accepted });
      expect(report.ownedTwice.slice(0, namedMax)).toEqual([]);
      // A claim whose answer was lost is made again.
      expect(report.moves.made).toBeGreaterThanOrEqual(report.moves.needed);
      expect(report.moves.made).toBeLessThan(report.moves.needed * movesSlack);
    } finally {
      await rm(directory, { recursive: true });
    }
  },
  600_000,
);
