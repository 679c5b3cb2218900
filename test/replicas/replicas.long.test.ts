import { afterAll, expect, vi } from 'vitest';
import { needs } from '../support/needs.ts';
import { killProcesses } from '../support/start-process.ts';
import { startReplicated } from './replicated-server.ts';
import { countStaleReads } from './stale-reads.ts';

/** Servers are copied and started, two cores for five of them. */
vi.setConfig({ testTimeout: 600_000 });
afterAll(killProcesses);

const size = { pairs: 3_000, secondsMax: 15 };

const withCluster = needs('initdb', 'pg_ctl', 'pg_basebackup', 'psql');

withCluster(
  'a read with the token of a write sees it, whatever replica is behind; without, some do not',
  async () => {
    const delaysMs = [0, 1_000, 15_000, 60_000];
    const site = await startReplicated({ delaysMs, args: ['--replica-lag-max-ms', '120000'] });
    try {
      const without = await countStaleReads(site, { ...size, withToken: false });
      expect(without.failed).toEqual([]);
      expect(without.stale).toBeGreaterThan(0);
      const withTokens = await countStaleReads(site, { ...size, withToken: true });
      expect(withTokens).toMatchObject({ stale: 0, laterStale: 0, failed: [] });
      const [current] = site.standbys;
      expect(withTokens.targets[String(current!.port)]).toBeGreaterThan(0);
    } finally {
      await site.close();
    }
  },
);

withCluster('a replica that dies is left out without a failed read, and comes back', async () => {
  const site = await startReplicated({ delaysMs: [0] });
  try {
    const [standby] = site.standbys;
    const port = String(standby!.port);
    const used = async () => (await site.figures('millrace_replica_used')).get(port);
    const { id, token } = await site.send();
    await expect.poll(used).toBe(1);
    await expect.poll(async () => (await site.get(`/v1/messages/${id}`)).status).toBe(200);

    await standby!.stop('immediate');
    for (let read = 0; read < 20; read++) {
      expect(await site.get(`/v1/messages/${id}`, token)).toMatchObject({ status: 200 });
    }
    await expect.poll(used).toBe(0);

    await standby!.start();
    await expect.poll(used).toBe(1);
    const readThere = async () => {
      expect((await site.get(`/v1/messages/${id}`, token)).status).toBe(200);
      return (await site.reads()).get(port) ?? 0;
    };
    const before = await readThere();
    await expect.poll(readThere).toBeGreaterThan(before + 2);
  } finally {
    await site.close();
  }
});

withCluster('a replica that falls behind is left out, and comes back', async () => {
  const site = await startReplicated({ delaysMs: [0], args: ['--replica-lag-max-ms', '1000'] });
  try {
    const port = String(site.standbys[0]!.port);
    const used = async () => (await site.figures('millrace_replica_used')).get(port);
    await expect.poll(used).toBe(1);
    await site.standbys[0]!.ask('SELECT pg_wal_replay_pause()');
    await site.send();
    await expect.poll(used).toBe(0);
    expect((await site.figures('millrace_replica_lag_bytes')).get(port)).toBeGreaterThan(0);
    await site.standbys[0]!.ask('SELECT pg_wal_replay_resume()');
    await expect.poll(used).toBe(1);
    expect((await site.figures('millrace_replica_lag_seconds')).get(port)).toBeLessThanOrEqual(1);
  } finally {
    await site.close();
  }
});
