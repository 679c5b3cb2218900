import { afterEach, expect, test } from 'vitest';
import { chunkIdOf } from '../../src/message/id.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { insertChunk, until } from '../delivery/mill.ts';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

const waitMs = 90_000;
const ratePerSecond = 60;
/** A new limit holds everywhere within a second; a machine that is busy with other tests gets another one. */
const settledMs = 2_000;
let site: Site | undefined;
let database: Database | undefined;

afterEach(async () => {
  await database?.close();
  await site?.close();
  [site, database] = [undefined, undefined];
  killProcesses();
});

/** So many messages on shards that the server owns. */
async function insertOn(server: MillraceProcess, count: number): Promise<void> {
  const owned = await site!.query<{ shard: number }>(
    'SELECT shard FROM shard_owner o JOIN worker w ON w.id = o.worker WHERE w.pid = $1',
    [server.pid],
  );
  const [route] = await site!.query<{ id: number }>(`SELECT id FROM route WHERE name = 'flood'`);
  for (let n = 0; n < count; n += 20) {
    const { shard } = owned[(n / 20) % owned.length]!;
    await insertChunk(database!, { shard, routeId: route!.id, count: 20 });
  }
}

async function arrivedAtMs(): Promise<number[]> {
  const page = await (await fetch(`${site!.sink.url}/arrivals?limit=10000`)).json();
  return (page as { data: { at: number }[] }).data.map(({ at }) => at);
}

/** The most messages a second, over windows long enough that a stalled process does not show. */
function mostPerSecond(atMs: number[], windowMs = 4_000): number {
  let most = 0;
  for (let from = 0, to = 0; to < atMs.length; to++) {
    while (atMs[to]! - atMs[from]! > windowMs) from++;
    most = Math.max(most, to - from + 1);
  }
  return most / (windowMs / 1_000);
}

test('of two servers the one that has all the messages gets nearly the whole rate, then the other, and never both', async () => {
  site = await createSite({ ratePerSecond });
  database = openDatabase({ url: site.databaseUrl, poolSize: 2, name: 'pace test' });
  const first = await site.start();
  const second = await site.start('--roles', 'deliver');
  await until(async () => (await site!.workers()).shards.get(second.pid) === 512, waitMs);
  const count = 6 * ratePerSecond;
  await insertOn(first, count);
  await until(async () => (await site!.ledger()).distinct === count, waitMs);
  await insertOn(second, count);
  await until(async () => (await site!.ledger()).distinct === 2 * count, waitMs);

  const atMs = await arrivedAtMs();
  expect(atMs).toHaveLength(2 * count);
  for (const part of [atMs.slice(0, count), atMs.slice(count)]) {
    // In the first two seconds the shares are on their way to where the messages are.
    const steady = part.slice(2 * ratePerSecond);
    const seconds = (steady.at(-1)! - steady[0]!) / 1_000;
    // An equal share would be half of it.
    expect(steady.length / seconds).toBeGreaterThan(0.7 * ratePerSecond);
  }
  // Twice as many if each used the whole.
  expect(mostPerSecond(atMs)).toBeLessThan(1.25 * ratePerSecond);
  await Promise.all([first.stop(), second.stop()]);
}, 240_000);

test('an account with a limit keeps to it over two servers, the other goes on, and a new limit soon holds on both, higher or lower', async () => {
  site = await createSite();
  database = openDatabase({ url: site.databaseUrl, poolSize: 2, name: 'pace test' });
  const first = await site.start();
  const second = await site.start('--roles', 'deliver');
  await until(async () => (await site!.workers()).shards.get(second.pid) === 512, waitMs);
  const made = await site.post(first, '/v1/accounts', { name: 'Limited', limits: { ratePerSecond: 50 } });
  const account = (await made.json()) as { id: string; limits: unknown };
  expect(account.limits).toEqual({ ratePerSecond: 50 });
  const [route] = await site.query<{ id: number }>(`SELECT id FROM route WHERE name = 'flood'`);
  const ofLimited = new Set<string>();
  for (let n = 0; n < 25; n++) {
    const accountId = Number(account.id);
    for (const count of [40, 40, 40]) {
      ofLimited.add(await insertChunk(database, { accountId, routeId: route!.id, count }));
    }
    await insertChunk(database, { routeId: route!.id, count: 40 });
  }
  const arrivals = async () => {
    const page = await (await fetch(`${site!.sink.url}/arrivals?limit=10000`)).json();
    const { data } = page as { data: { id: string; at: number }[] };
    const isLimited = ({ id }: { id: string }) => ofLimited.has(chunkIdOf(id));
    return { limited: data.filter(isLimited), other: data.filter((each) => !isLimited(each)) };
  };
  await until(async () => (await arrivals()).other.length === 1_000, waitMs);
  await until(async () => (await arrivals()).limited.length >= 150, waitMs);
  const before = await arrivals();
  expect(before.limited.length).toBeLessThan(900);
  expect(mostPerSecond(before.limited.map(({ at }) => at))).toBeLessThan(1.3 * 50);

  /** How many arrive a second of the limited account, once it was given another limit, for some seconds. */
  const paceUnder = async (ratePerSecond: number, forMs: number) => {
    const patched = await site!.patch(first, `/v1/accounts/${account.id}`, { limits: { ratePerSecond } });
    expect(patched.status).toBe(200);
    const fromMs = Date.now() + settledMs;
    await until(() => Date.now() >= fromMs + forMs, waitMs);
    const { limited } = await arrivals();
    return limited.filter(({ at }) => at >= fromMs && at < fromMs + forMs).length / (forMs / 1_000);
  };
  expect(await paceUnder(500, 1_000)).toBeGreaterThan(3 * 50);
  // Higher, what was being waited for goes on at once; lower, it is taken back from both servers.
  expect(await paceUnder(50, 3_000)).toBeLessThan(1.3 * 50);
  expect((await arrivals()).limited.length).toBeLessThan(3_000);
  await Promise.all([first.stop(), second.stop()]);
}, 240_000);
