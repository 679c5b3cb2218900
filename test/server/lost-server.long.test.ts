import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { killProcesses } from '../support/start-process.ts';
import { createSite, recorded, type Site, shardsAll, shared, waitMs } from './several.ts';

// `npm test` holds the same of servers that are killed and suspended amid a flood by a short run of chaos.

let site: Site | undefined;

afterEach(async () => {
  await site?.close();
  site = undefined;
  killProcesses();
});

test('the shards of a killed server are taken over when its lease has run out, and nothing is lost', async () => {
  const count = 5_000;
  site = await createSite({ ratePerSecond: 1_500 });
  const [first, second] = [await site.start('--lease-ms', '2500'), await site.start('--lease-ms', '2500')];
  await shared(site, [first.pid, second.pid]);
  await site.flood(second, count);
  await until(async () => (await site!.ledger()).distinct > count / 4, waitMs);
  const before = await recorded(site);
  await first.kill();
  const handedOver = (await site.ledger()).received;
  await until(async () => (await site!.workers()).shards.get(second.pid) === shardsAll, waitMs);
  await until(async () => (await site!.ledger()).distinct === count, waitMs);
  await until(async () => (await recorded(site!)) === count, waitMs);
  expect((await site.ledger()).duplicates).toBeLessThanOrEqual(handedOver - before);
  await second.stop();
}, 180_000);

test('a server suspended past its lease begins no send when it wakes, and its writes are refused', async () => {
  const count = 8_000;
  site = await createSite({ ratePerSecond: 1_500 });
  const [first, second] = [await site.start('--lease-ms', '2500'), await site.start('--lease-ms', '2500')];
  await shared(site, [first.pid, second.pid]);
  await site.flood(second, count);
  await until(async () => (await site!.ledger()).distinct > count / 5, waitMs);
  const owned = await site.query<{ shard: number; epoch: string }>(
    'SELECT shard, epoch FROM shard_owner o JOIN worker w ON w.id = o.worker WHERE w.pid = $1',
    [first.pid],
  );
  const before = await recorded(site);
  first.child.kill('SIGSTOP');
  const handedOver = (await site.ledger()).received;
  const oldWrites = async () => {
    const [row] = await site!.query<{ rows: number }>(
      `SELECT count(*)::int AS rows FROM outcome o
        JOIN unnest($1::smallint[], $2::bigint[]) AS old (shard, epoch)
          ON old.shard = o.shard AND o.seq >> 32 <= old.epoch`,
      [owned.map(({ shard }) => shard), owned.map(({ epoch }) => epoch)],
    );
    return row!.rows;
  };
  await until(async () => (await site!.workers()).shards.get(second.pid) === shardsAll, waitMs);
  const atTakeover = await oldWrites();
  first.child.kill('SIGCONT');
  await shared(site, [first.pid, second.pid]);
  await until(async () => (await recorded(site!)) === count, waitMs);
  const ledger = await site.ledger();
  expect(ledger.distinct).toBe(count);
  // Doubled is at most what it had handed over and not recorded when it was suspended: none that it sent on waking.
  expect(ledger.duplicates).toBeLessThanOrEqual(handedOver - before);
  expect(await oldWrites()).toBe(atTakeover);
  await Promise.all([first.stop(), second.stop()]);
}, 180_000);
