import pg from 'pg';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { fairShare, Ownership } from '../../src/delivery/ownership/ownership.ts';
import type { Tenure } from '../../src/delivery/ownership/tenure.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { deliveryStatements } from '../../src/store/delivery/delivery-statements.ts';
import { createTestDatabase } from '../support/postgres.ts';

const leaseMs = 5_000;

let url: string;
let database: Database;
let nowMs: number;

beforeEach(async () => {
  url = (await createTestDatabase()).url;
  database = openDatabase({ url, poolSize: 4, name: 'ownership test' });
  nowMs = 1_000;
});

afterEach(async () => {
  await database.close();
});

interface Owner {
  ownership: Ownership;
  claimed: Tenure[];
  lost: Tenure[];
}

/** A worker with a clock that differs from everybody's by a fixed amount, as machines' clocks do. */
function owner(clockOffsetMs = 0): Owner {
  const clock = { monotonicMs: () => nowMs + clockOffsetMs } as Clock;
  const claimed: Tenure[] = [];
  const lost: Tenure[] = [];
  const ownership = new Ownership({
    store: deliveryStatements(database),
    clock,
    leaseMs,
    onClaimed: (tenures) => claimed.push(...tenures),
    onLost: (tenures) => lost.push(...tenures),
  });
  return { ownership, claimed, lost };
}

async function turns(count: number, ...owners: Owner[]): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    nowMs += 200;
    for (const { ownership } of owners) await ownership.runOnce();
  }
}

async function owners(): Promise<Map<string | null, number>> {
  return (await deliveryStatements(database).readOwners()).shardsByWorker;
}

async function claimsEver(): Promise<number> {
  const { rows } = await database.query<{ claims: number }>({
    name: 'test_claims',
    text: 'SELECT sum(epoch)::int AS claims FROM shard_owner',
  });
  return rows[0]!.claims;
}

test('shards spread evenly over the workers that come, and only the excess moves', async () => {
  const [a, b, c] = [owner(0), owner(1e9), owner(-500)];
  await turns(1, a);
  expect(a.ownership.heldShards()).toHaveLength(1_024);
  await turns(4, a, b);
  expect([a, b].map(({ ownership }) => ownership.tenures.size)).toEqual([512, 512]);
  expect(await claimsEver()).toBe(1_024 + 512);
  await turns(4, a, b, c);
  const sizes = [a, b, c].map(({ ownership }) => ownership.tenures.size);
  expect([...sizes].sort()).toEqual([341, 341, 342]);
  expect(await claimsEver()).toBe(1_024 + 512 + sizes[2]!);
  const all = [a, b, c].flatMap(({ ownership }) => ownership.heldShards());
  expect(new Set(all).size).toBe(1_024);
  for (const { ownership } of [a, b, c]) await ownership.close();
});

test('what a stopping worker has released is taken while it still waits for one last send', async () => {
  const [stopping, other] = [owner(), owner()];
  await turns(4, stopping, other);
  const busy = [...stopping.ownership.tenures.values()][0]!;
  busy.inFlight = 1;
  stopping.ownership.leaveAll();
  await turns(3, stopping, other);
  expect([...stopping.ownership.tenures.keys()]).toEqual([busy.shard]);
  expect(other.ownership.heldShards()).toHaveLength(1_023);
  busy.inFlight = 0;
  await turns(2, stopping, other);
  expect(other.ownership.heldShards()).toHaveLength(1_024);
  for (const { ownership } of [stopping, other]) await ownership.close();
});

test('fair shares add up to all shards, whatever the ids', () => {
  for (const workers of [1, 2, 3, 5, 7, 64, 1_000]) {
    const ids = Array.from({ length: workers }, (_, n) => `worker-${(n * 7_919) % 10_007}`);
    const shares = ids.map((id) => fairShare(id, ids));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBe(1_024);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
  }
});

test('a silent worker keeps its shards for a full lease, and then they are taken with a new epoch', async () => {
  const [silent, taker] = [owner(), owner(7e8)];
  await turns(1, silent);
  const before = silent.claimed[0]!;
  nowMs += 60_000;
  await turns(1, taker);
  await turns(23, taker);
  expect(taker.ownership.tenures.size).toBe(0);
  await turns(3, taker);
  expect(taker.ownership.tenures.size).toBe(1_024);
  expect(taker.ownership.tenures.get(before.shard)!.epoch).toBe(before.epoch + 1);
  // It wakes up: it finds its lease gone, ends everything it had, and comes back as another worker.
  const oldId = silent.ownership.workerId;
  await silent.ownership.runOnce();
  expect(silent.ownership.tenures.size).toBe(0);
  expect(silent.lost).toHaveLength(1_024);
  expect(silent.ownership.deadlineMs).toBeLessThan(nowMs);
  expect(silent.ownership.workerId).not.toBe(oldId);
  await turns(4, silent, taker);
  expect(silent.ownership.tenures.size).toBe(512);
  await silent.ownership.close();
  await taker.ownership.close();
});

test('locked shards of a dead worker hold up none of the others, and are taken when they are unlocked', async () => {
  const [dead, taker] = [owner(), owner()];
  await turns(1, dead);
  const locked = [0, 511, 1_023];
  const unlock = await lockOwners(locked);
  // All but those within the very turn in which the lease has ended.
  await turns(27, taker);
  expect(taker.ownership.heldShards()).toHaveLength(1_024 - locked.length);
  expect(locked.some((shard) => taker.ownership.tenures.has(shard))).toBe(false);
  await turns(2, taker);
  expect(taker.ownership.tenures.size).toBe(1_024 - locked.length);
  await unlock();
  await turns(1, taker);
  expect(taker.ownership.tenures.size).toBe(1_024);
  expect(taker.ownership.tenures.get(0)!.epoch).toBe(2);
  await taker.ownership.close();
});

test('a locked shard holds up the release of no other, and is released when it is unlocked', async () => {
  const [a, b] = [owner(), owner()];
  await turns(1, a);
  const unlock = await lockOwners([0, 511, 1_023]);
  await turns(4, a, b);
  const claims = await claimsEver();
  await turns(2, a, b);
  // Nothing goes to and fro meanwhile.
  expect(await claimsEver()).toBe(claims);
  expect(a.ownership.tenures.size + b.ownership.tenures.size).toBeGreaterThanOrEqual(1_024 - 3);
  expect(b.ownership.tenures.size).toBeGreaterThanOrEqual(512 - 3);
  await unlock();
  await turns(4, a, b);
  expect([a, b].map(({ ownership }) => ownership.tenures.size)).toEqual([512, 512]);
  for (const { ownership } of [a, b]) await ownership.close();
});

/** As somebody's session does that is left open amid a transaction; the answer ends it. */
async function lockOwners(shards: number[]): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM shard_owner WHERE shard = ANY($1) FOR UPDATE', [shards]);
  return async () => {
    await client.query('COMMIT');
  };
}

test('after the database was away for longer than a lease, whoever is back first takes nothing from the others', async () => {
  const [a, b] = [owner(), owner(3e8)];
  await turns(5, a, b);
  const claims = await claimsEver();
  nowMs += 3 * leaseMs;
  await turns(4, a);
  await turns(2, b);
  expect([a, b].map(({ ownership }) => ownership.tenures.size)).toEqual([512, 512]);
  expect(b.lost).toEqual([]);
  expect(await claimsEver()).toBe(claims);
  for (const { ownership } of [a, b]) await ownership.close();
});

test('the deadline for sends ends before anybody may take the shards', async () => {
  const [first, taker] = [owner(), owner()];
  await turns(1, first);
  await taker.ownership.runOnce();
  const seenAtMs = nowMs;
  expect(first.ownership.deadlineMs).toBeLessThan(seenAtMs + leaseMs);
  await first.ownership.close();
  await taker.ownership.close();
});

test('a worker that was away from the database and was not replaced goes on with what it had', async () => {
  const only = owner();
  await turns(1, only);
  nowMs += 10 * leaseMs;
  expect(only.ownership.deadlineMs).toBeLessThan(nowMs);
  await only.ownership.runOnce();
  expect(only.ownership.deadlineMs).toBeGreaterThan(nowMs);
  expect(only.lost).toEqual([]);
  expect(await claimsEver()).toBe(1_024);
  await only.ownership.close();
});

test('a worker that stops hands its shards over at once, those at rest first', async () => {
  const [leaver, heir] = [owner(), owner()];
  await turns(1, leaver);
  const busy = leaver.claimed[0]!;
  busy.inFlight = 1;
  leaver.ownership.leaveAll();
  await turns(1, leaver, heir);
  expect([...leaver.ownership.tenures.keys()]).toEqual([busy.shard]);
  await turns(1, heir);
  expect(heir.ownership.tenures.has(busy.shard)).toBe(false);
  busy.inFlight = 0;
  await turns(1, leaver);
  await leaver.ownership.close();
  await turns(2, heir);
  expect(heir.ownership.tenures.size).toBe(1_024);
  await heir.ownership.close();
});

test('a claim whose answer was lost is claimed again, with an epoch of its own', async () => {
  const statements = deliveryStatements(database);
  let cut = true;
  const ownership = new Ownership({
    store: {
      ...statements,
      async claimShards(claim) {
        const claimed = await statements.claimShards(claim);
        if (!cut) return claimed;
        cut = false;
        throw new Error('the answer was lost');
      },
    },
    clock: { monotonicMs: () => nowMs } as Clock,
    leaseMs,
    onClaimed: () => {},
    onLost: () => {},
  });
  await expect(ownership.runOnce()).rejects.toThrow('the answer was lost');
  await ownership.runOnce();
  expect(ownership.tenures.size).toBe(1_024);
  expect([...ownership.tenures.values()].every(({ epoch }) => epoch === 2)).toBe(true);
  await ownership.close();
});

test('a worker that stops before it knows that it is registered leaves no lease behind', async () => {
  const statements = deliveryStatements(database);
  const ownership = new Ownership({
    store: {
      ...statements,
      async registerWorker(worker) {
        await statements.registerWorker(worker);
        throw new Error('the answer was lost');
      },
    },
    clock: { monotonicMs: () => nowMs } as Clock,
    leaseMs,
    onClaimed: () => {},
    onLost: () => {},
  });
  await expect(ownership.runOnce()).rejects.toThrow('the answer was lost');
  await ownership.close();
  expect((await statements.readOwners()).beats.size).toBe(0);
});

test('a worker that did not hear of its registration comes under another id, and leaves no lease behind', async () => {
  const statements = deliveryStatements(database);
  const ids: string[] = [];
  const ownership = new Ownership({
    store: {
      ...statements,
      async registerWorker(worker) {
        ids.push(worker.id);
        await statements.registerWorker(worker);
        if (ids.length === 1) throw new Error('the answer was lost');
      },
    },
    clock: { monotonicMs: () => nowMs } as Clock,
    leaseMs,
    onClaimed: () => {},
    onLost: () => {},
  });
  await expect(ownership.runOnce()).rejects.toThrow('the answer was lost');
  await ownership.runOnce();
  expect(new Set(ids).size).toBe(2);
  expect(ownership.workerId).toBe(ids[1]);
  expect([...(await statements.readOwners()).beats.keys()]).toEqual([ids[1]]);
  await ownership.close();
  expect((await statements.readOwners()).beats.size).toBe(0);
});

test('of two workers that find the same free shards, each shard goes to one', async () => {
  const [a, b] = [owner(), owner()];
  await Promise.all([a, b].map(({ ownership }) => ownership.runOnce()));
  await turns(6, a, b);
  const held = [a, b].map(({ ownership }) => ownership.heldShards());
  expect(held.map((shards) => shards.length)).toEqual([512, 512]);
  expect(new Set(held.flat()).size).toBe(1_024);
  expect((await owners()).get(null)).toBeUndefined();
  await a.ownership.close();
  await b.ownership.close();
});

test('a claim that is committed after it was looked for is found all the same', async () => {
  const statements = deliveryStatements(database);
  let commitLate: (() => Promise<unknown>) | undefined;
  const ownership = new Ownership({
    store: {
      ...statements,
      async claimShards(claim) {
        if (commitLate !== undefined) return statements.claimShards(claim);
        commitLate = () => statements.claimShards(claim);
        throw new Error('no answer in time');
      },
      async readOwnedShards(workerId) {
        const owned = await statements.readOwnedShards(workerId);
        if (owned.length === 0) await commitLate!();
        return owned;
      },
    },
    clock: { monotonicMs: () => nowMs } as Clock,
    leaseMs,
    onClaimed: () => {},
    onLost: () => {},
  });
  await expect(ownership.runOnce()).rejects.toThrow('no answer in time');
  nowMs += 200;
  await ownership.runOnce();
  expect(ownership.tenures.size).toBe(1_024);
  await ownership.close();
});

test('a release that arrives late leaves alone what the same worker has claimed since', async () => {
  const { claimShards, releaseShards, readOwnedShards } = deliveryStatements(database);
  const workerId = '7d1f6f5e-1111-4222-8333-444455556666';
  const first = (await claimShards({ workerId, free: [{ shard: 3, epoch: 0 }], lockMs: 1_000 }))!;
  const second = (await claimShards({ workerId, free: first, lockMs: 1_000 }))!;
  await releaseShards({ workerId, shards: first, lockMs: 1_000 });
  expect(await readOwnedShards(workerId)).toEqual(second);
  await releaseShards({ workerId, shards: second, lockMs: 1_000 });
  expect(await readOwnedShards(workerId)).toEqual([]);
});

test('a claim that is answered when the worker stops already is handed over at once', async () => {
  const statements = deliveryStatements(database);
  const ownership = new Ownership({
    store: {
      ...statements,
      async claimShards(claim) {
        const claimed = await statements.claimShards(claim);
        ownership.leaveAll();
        return claimed;
      },
    },
    clock: { monotonicMs: () => nowMs } as Clock,
    leaseMs,
    onClaimed: () => {},
    onLost: () => {},
  });
  await ownership.runOnce();
  expect(ownership.heldShards()).toEqual([]);
  await ownership.runOnce();
  expect((await owners()).get(null)).toBe(1_024);
  await ownership.close();
});
