import { afterAll, expect, vi } from 'vitest';
import { until } from '../delivery/mill.ts';
import { needs } from '../support/needs.ts';
import { killProcesses } from '../support/start-process.ts';
import { startReplicated } from './replicated-server.ts';
import { countStaleReads } from './stale-reads.ts';

/** Servers are copied and started, two cores for all of them. */
vi.setConfig({ testTimeout: 600_000 });
afterAll(killProcesses);

const size = { pairs: 400, secondsMax: 10 };
const inARow = 20;

needs(
  'initdb',
  'pg_ctl',
  'pg_basebackup',
  'psql',
)(
  'behind one address of several standbys no read with a token is stale, none is older than allowed, and they do answer',
  async () => {
    const args = ['--replica-lag-max-ms', '1000'];
    const site = await startReplicated({ delaysMs: [0, 600_000], balanced: true, args });
    try {
      const counted = await countStaleReads(site, { ...size, withToken: true });
      expect(counted).toMatchObject({ stale: 0, laterStale: 0, failed: [] });

      // Longer ago than a read without a token may lag, and still not on the standby that is held back.
      const { id } = await site.send();
      await until(async () => {
        for (let read = 0; read < inARow; read++) {
          if ((await site.get(`/v1/messages/${id}`)).status !== 200) return false;
        }
        return true;
      });

      const [target] = [...(await site.reads()).keys()].filter((name) => name !== 'primary');
      const answered = async () =>
        ((await site.reads()).get(target!) ?? 0) -
        ((await site.figures('millrace_reads_repeated_total')).get(target!) ?? 0);
      const before = await answered();
      await until(async () => {
        expect((await site.get(`/v1/messages/${id}`)).status).toBe(200);
        return (await answered()) > before + inARow;
      });
    } finally {
      await site.close();
    }
  },
);
