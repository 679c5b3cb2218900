import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ReceiptMatcher } from '../../src/events/receipts/receipt-matcher.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { makeChunkId } from '../../src/message/id.ts';
import { matchReceipts, receiptsDueByRoute } from '../../src/store/events/match-receipts.ts';
import { until } from '../delivery/mill.ts';
import { allIn, type ReceiptsSite, startReceiptsSite, toldMore } from './receipts-site.ts';

let site: ReceiptsSite;
let takes: ReceiptsSite['onSend'];

beforeAll(async () => {
  site = await startReceiptsSite();
  takes = site.onSend;
});

beforeEach(() => {
  site.onSend = takes;
});

afterAll(() => site.close());

test('receipts make delivered and failed of what was sent, in one outcome for many messages', async () => {
  const url = await site.route('plain');
  const ids = await site.send('plain', 5);
  await allIn(site, ids, 'sent');
  const before = await site.told();
  const receipts = [
    ...ids.slice(0, 3).map((id) => ({ id, status: 'delivered' })),
    { id: ids[3], status: 'failed', error: { code: 'AbsentSubscriber', detail: 'Nobody at +31612341003' } },
    { id: ids[4], status: 'queued' },
  ];
  const answer = await site.tell(url, { receipts });
  expect([answer.status, await answer.json()]).toEqual([200, { stored: 4, ignored: 1 }]);
  await site.match();
  await allIn(site, ids.slice(0, 3), 'delivered');
  await allIn(site, [ids[3]!], 'failed');
  const { json } = await site.api.call('GET', `/v1/messages/${ids[3]}`);
  // What may name a person is not kept of what was told.
  expect(json.error).toEqual({ code: 'absent_subscriber', detail: 'Nobody at (…)' });
  expect(json.timeline.map(({ state }: { state: string }) => state)).toEqual(['queued', 'sent', 'failed']);
  expect(await site.stateOf(ids[4]!)).toBe('sent');
  const rows = await site.api.context.database.query<{ count: number }>({
    name: '',
    text: 'SELECT count FROM outcome WHERE state = 4',
  });
  expect(rows.rows.map(({ count }) => count)).toEqual([3]);
  await toldMore(site, before, { stored: 4, ignored: 1, matched: 4 });
});

test('a repeated receipt changes nothing, and neither does one of a message that came to another end', async () => {
  const url = await site.route('plain');
  const [id] = await site.send('plain');
  await allIn(site, [id!], 'sent');
  const before = await site.told();
  await site.tell(url, [
    { id, status: 'delivered' },
    { id, status: 'delivered' },
  ]);
  await site.match();
  await allIn(site, [id!], 'delivered');
  await site.tell(url, { id, status: 'delivered' });
  await site.tell(url, { id, status: 'failed' });
  await site.match();
  await toldMore(site, before, { matched: 1, repeated: 2, unchanged: 1 });
  const { json } = await site.api.call('GET', `/v1/messages/${id}`);
  expect(json.timeline.map(({ state }: { state: string }) => state)).toEqual(['queued', 'sent', 'delivered']);
});

test('what a provider tells before it has answered waits for its answer', async () => {
  let waiting: ServerResponse | undefined;
  site.onSend = (_, response) => {
    waiting = response;
  };
  const url = await site.route('plain');
  const [id] = await site.send('plain');
  await until(() => waiting !== undefined);
  const before = await site.told();
  await site.tell(url, { id, status: 'delivered' });
  await site.match();
  await toldMore(site, before, { early: 1 });
  expect(await site.stateOf(id!)).toBe('queued');
  takes({ id: id!, key: id! }, waiting!);
  await allIn(site, [id!], 'delivered');
  await toldMore(site, before, { early: 1, matched: 1 });
});

test('what nobody knows is counted and kept, and so is what names a message of another route', async () => {
  const url = await site.route('plain');
  const other = await site.route('other');
  const [id] = await site.send('other');
  await allIn(site, [id!], 'sent');
  const before = await site.told();
  const random = new Uint8Array(8);
  const unknown = makeChunkId({ unixMs: Date.now(), shard: 5, random });
  const gone = makeChunkId({ unixMs: Date.now() - 400 * 86_400_000, shard: 5, random });
  const answer = await site.tell(url, [
    { id: unknown, status: 'delivered' },
    { id: 'mine-1', status: 'failed', error: { detail: 'for ada@example.com' } },
    { id: id!, status: 'delivered' },
    { id: gone, status: 'delivered' },
  ]);
  expect(answer.status).toBe(200);
  await site.match();
  await toldMore(site, before, { stored: 4, unknown: 3, late: 1 });
  expect(await site.stateOf(id!)).toBe('sent');
  const { database } = site.api.context;
  const kept = await database.query<{ payload: Buffer }>({
    name: '',
    text: 'SELECT payload FROM unknown_receipt',
  });
  const text = kept.rows.map(({ payload }) => payload.toString()).join();
  expect(text).toContain(unknown);
  expect(text).toContain('mine-1');
  expect(text).not.toContain('ada');
  expect((await database.query({ name: '', text: 'SELECT FROM receipt' })).rowCount).toBe(0);
  await site.tell(other, { id, status: 'delivered' });
  await site.match();
  await allIn(site, [id!], 'delivered');
});

test('a receipt settles what is uncertain on a route that holds, and one of an earlier replay does not', async () => {
  site.onSend = (_, response) => response.socket!.destroy();
  const url = await site.route('held', { onUncertain: 'hold' });
  const [arrived, lost] = await site.send('held', 2);
  await allIn(site, [arrived!, lost!], 'uncertain');
  const before = await site.told();
  await site.tell(url, [
    { id: arrived, status: 'delivered' },
    { id: lost, status: 'failed', error: { code: 'lost', detail: 'Not delivered' } },
  ]);
  await site.match();
  await allIn(site, [arrived!], 'delivered');
  await allIn(site, [lost!], 'failed');
  const keys: string[] = [];
  site.onSend = (message, response) => {
    keys.push(message.key);
    takes(message, response);
  };
  await site.api.call('POST', `/v1/messages/${lost}/replay`);
  await allIn(site, [lost!], 'sent');
  expect(keys).toEqual([`${lost}.1`]);
  await site.tell(url, { id: lost, status: 'delivered' });
  await site.match();
  await toldMore(site, before, { matched: 2, unchanged: 1 });
  expect(await site.stateOf(lost!)).toBe('sent');
  await site.tell(url, { id: `${lost}.1`, status: 'delivered' });
  await site.match();
  await allIn(site, [lost!], 'delivered');
});

test('the counts of a batch follow its receipts, also when it is done', async () => {
  const url = await site.route('plain');
  const lines = Array.from({ length: 4 }, (_, n) => `{"to":"+3161234567${n}","body":"x"}`).join('\n');
  const headers = { 'content-type': 'application/x-ndjson' };
  const made = await site.api.call('POST', '/v1/batches?route=plain', { body: lines, headers });
  const path = `/v1/batches/${made.json.id}`;
  const batch = async () => (await site.api.call('GET', path)).json;
  await until(async () => (await batch()).state === 'done');
  const listed = (await site.api.call('GET', `${path}/messages`)).json.data as { id: string }[];
  await site.tell(url, [
    { id: listed[0]!.id, status: 'delivered' },
    { id: listed[1]!.id, status: 'delivered' },
    { id: listed[2]!.id, status: 'failed' },
  ]);
  await site.match();
  await until(async () => (await batch()).counts.delivered === 2);
  expect(await batch()).toMatchObject({
    state: 'done',
    counts: { accepted: 4, sent: 1, delivered: 2, failed: 1 },
  });
  const { json } = await site.api.call('GET', `${path}/messages?state=delivered`);
  expect(json.data.map(({ id }: { id: string }) => id).sort()).toEqual([listed[0]!.id, listed[1]!.id].sort());
});

test('two that match at the same time hand each receipt on once', async () => {
  const url = await site.route('plain');
  const ids = await site.send('plain', 40);
  await allIn(site, ids, 'sent');
  const before = await site.told();
  await Promise.all(ids.map((id) => site.tell(url, { id, status: 'delivered' })));
  const matchers = Array.from({ length: 3 }, () => site.matcher());
  await Promise.all(matchers.map((matcher) => matcher.runOnce()));
  await allIn(site, ids, 'delivered');
  await toldMore(site, before, { stored: 40, matched: 40, repeated: 0 });
});

test('a provider that knows its own ids only is understood, also before its answer is recorded', async () => {
  let waiting: ServerResponse | undefined;
  site.onSend = (message, response) => {
    if (waiting === undefined) waiting = response;
    else takes(message, response);
  };
  const url = await site.route('by-ref', { receiptsBy: 'providerRef' });
  const [early] = await site.send('by-ref');
  await until(() => waiting !== undefined);
  const [known] = await site.send('by-ref');
  await allIn(site, [known!], 'sent');
  const before = await site.told();
  await site.tell(url, [
    { providerRef: `p-${known}`, status: 'delivered' },
    { providerRef: `p-${early}`, status: 'delivered' },
    { providerRef: 'p-of-nobody', status: 'delivered' },
  ]);
  const matcher = site.matcher();
  await matcher.runOnce();
  await allIn(site, [known!], 'delivered');
  takes({ id: early!, key: early! }, waiting!);
  await until(async () => {
    await matcher.runOnce();
    return (await site.stateOf(early!)) === 'delivered';
  });
  await toldMore(site, before, { matched: 2, early: 1 });
  // Nobody waits for ever: then it is counted, and kept as unknown.
  await until(async () => {
    await site.matcher({ waitMs: 0 }).runOnce();
    const { rowCount } = await site.api.context.database.query({ name: '', text: 'SELECT FROM receipt' });
    return rowCount === 0;
  });
  await toldMore(site, before, { unknown: 1 });
});

test('by its provider’s id no erased message is found', async () => {
  const url = await site.route('by-ref', { receiptsBy: 'providerRef' });
  const [id] = await site.send('by-ref');
  await allIn(site, [id!], 'sent');
  const { database } = site.api.context;
  const count = async () =>
    (await database.query({ name: '', text: 'SELECT FROM provider_ref WHERE chunk_id = $1' }, [id])).rowCount;
  expect(await count()).toBe(1);
  const body = { to: '+31612341000' };
  expect((await site.api.call('POST', '/v1/recipients/erase', { body })).json.complete).toBe(true);
  expect(await count()).toBe(0);
  const before = await site.told();
  await site.tell(url, { providerRef: `p-${id}`, status: 'delivered' });
  await site.matcher({ waitMs: 0 }).runOnce();
  await toldMore(site, before, { unknown: 1 });
  expect(await site.stateOf(id!)).toBe('sent');
});

test('receipts of a crowded route give way to messages, and those of others do not', async () => {
  const plain = await site.route('plain');
  const [id] = await site.send('plain');
  await allIn(site, [id!], 'sent');
  const crowd = await crowdedRoute(300);
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(2_000);
  expect((await site.tell(plain, { id, status: 'delivered' })).status).toBe(200);
  crowd.pass(2_699);
  await crowd.matcher.runOnce();
  expect([await dueOf('plain'), await dueOf('crowd')]).toEqual([0, 2_000]);
  await allIn(site, [id!], 'delivered');
  crowd.pass(1);
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(0);
});

test('they give way no longer than messages want the machine', async () => {
  const crowd = await crowdedRoute(300);
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(2_000);
  crowd.wants.machine = false;
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(0);
});

test('what has waited for half a minute gives way no more', async () => {
  const crowd = await crowdedRoute(300);
  const text = `UPDATE receipt SET due_at = now() - interval '30 seconds'`;
  await site.api.context.database.query({ name: '', text });
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(0);
});

test('a turn that waited long for the database is not followed by minutes of rest', async () => {
  const crowd = await crowdedRoute(60_000);
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(2_000);
  crowd.pass(9_000);
  await crowd.matcher.runOnce();
  expect(await dueOf('crowd')).toBe(0);
});

test('receipts that came one by one are matched many together, and two servers share those of one shard', async () => {
  const url = await site.route('plain');
  const { database } = site.api.context;
  await site.tell(url, { id: 'of-nobody', status: 'delivered' });
  const copy = `INSERT INTO receipt (shard, id, route_id, count, codec, payload)
    SELECT shard, gen_random_uuid(), route_id, count, codec, payload FROM receipt, generate_series(1, 99)`;
  await database.query({ name: '', text: copy });
  const [due] = await receiptsDueByRoute(database);
  expect(due).toMatchObject({ receipts: 100 });
  const { shard, routeId } = due!;
  const settings = { shard, routeIds: [routeId], rowsMax: 64, receiptsMax: 60 };
  const nothing = { matched: [], waiting: [], unknown: [], unread: [] };
  let others = 0;
  const own = await matchReceipts(database, {
    ...settings,
    async match() {
      others = await matchReceipts(database, { ...settings, match: async () => nothing });
      return nothing;
    },
  });
  expect([own, others, await dueOf('plain')]).toEqual([60, 36, 4]);
  await site.match();
  expect(await dueOf('plain')).toBe(0);
});

test('a row that cannot be read keeps no other from being matched, and is looked at again later', async () => {
  const crowd = await crowdedRoute(1);
  const plain = await site.route('plain');
  await site.tell(plain, { id: 'of-nobody', status: 'delivered' });
  const { database } = site.api.context;
  const text = `INSERT INTO receipt (shard, id, route_id, count, codec, payload, due_at)
    SELECT shard, gen_random_uuid(), route_id, 1, 9, '', now() - interval '1 hour'
      FROM (SELECT DISTINCT shard, route_id FROM receipt) AS due`;
  await database.query({ name: '', text });
  await expect(crowd.matcher.runOnce()).rejects.toThrow('codec 9');
  crowd.wants.machine = false;
  await crowd.matcher.runOnce();
  expect([await dueOf('plain'), await dueOf('crowd')]).toEqual([1, 1]);
  await database.query({ name: '', text: 'DELETE FROM receipt' });
});

/** Receipts that wait for whoever matches them. */
async function dueOf(route: string): Promise<number> {
  const text = `SELECT coalesce(sum(count), 0)::int AS due FROM receipt
    WHERE route_id = (SELECT id FROM route WHERE name = $1)`;
  const { rows } = await site.api.context.database.query<{ due: number }>({ name: '', text }, [route]);
  return rows[0]!.due;
}

/** The route `crowd` with 10,000 receipts of unknown messages, and who matches them while messages want the machine, in turns that take so long. */
async function crowdedRoute(
  turnMs: number,
): Promise<{ matcher: ReceiptMatcher; wants: { machine: boolean }; pass: (ms: number) => void }> {
  const url = await site.route('crowd');
  const receipts = Array.from({ length: 10_000 }, (_, n) => ({ id: `of-nobody-${n}`, status: 'delivered' }));
  expect((await site.tell(url, receipts)).status).toBe(200);
  let nowMs = 0;
  const wants = { machine: true };
  return {
    wants,
    pass(ms: number) {
      nowMs += ms;
    },
    matcher: site.matcher({
      clock: { ...systemClock, monotonicMs: () => nowMs },
      givesWay: () => wants.machine,
      onCounted({ result }) {
        if (result === 'unknown') nowMs += turnMs;
      },
    }),
  };
}
