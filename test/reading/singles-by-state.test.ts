import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunkIdOf } from '../../src/message/id.ts';
import { type State, stateNumber } from '../../src/message/state.ts';
import { highestId } from '../../src/store/reading/id-range.ts';
import { listSinglesWithOutcomeStatement } from '../../src/store/reading/list-singles-with-outcome.ts';
import type { TestApi } from '../api/start-api.ts';
import { startApiWithRoute } from './start-reading.ts';
import { recordOutcome, storeBatch } from './store-batch.ts';

let api: TestApi;
let routeId: number;

beforeAll(async () => {
  ({ api, routeId } = await startApiWithRoute());
});

afterAll(() => api.stop());

interface Sender {
  id: string;
  key: string;
}

function account(name: string): Promise<Sender> {
  return api.makeAccount(name, ['send', 'read']);
}

/** Messages that are sent in one request and lie in one chunk. */
async function send({ key }: Sender, count: number): Promise<string[]> {
  const body = Array.from({ length: count }, (_, n) => ({
    to: `+3161234${1_000 + n}`,
    body: 'x',
    route: 'sms',
  }));
  const { json } = await api.call('POST', '/v1/messages', { key, body });
  return json.messages.map(({ id }: { id: string }) => id);
}

/** The messages at some places of a chunk come to a state, as their owner would record it. */
function end({ id }: Sender, ids: string[], state: State, offsets: number[]): Promise<void> {
  return recordOutcome(api.context.database, {
    batch: null,
    accountId: Number(id),
    chunk: { id: chunkIdOf(ids[0]!), count: ids.length },
    state: stateNumber[state],
    offsets,
  });
}

async function list(sender: Sender, query: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  for (let pages = 1, after = ''; ; pages++) {
    const { status, json } = await api.call('GET', `/v1/messages?${query}${after}`, { key: sender.key });
    expect(status).toBe(200);
    for (const { id } of json.data) ids.push(id);
    if (json.next === null) return { ids, pages };
    after = `&after=${json.next}`;
  }
}

test('messages sent singly are listed by a bad end, newest first, in pages that skip and repeat none', async () => {
  const sender = await account('pages');
  const wanted: string[] = [];
  for (let n = 0; n < 70; n++) {
    const ids = await send(sender, 5);
    await end(sender, ids, 'uncertain', [0, 2, 3]);
    await end(sender, ids, 'failed', [4]);
    wanted.push(ids[0]!, ids[2]!, ids[3]!);
  }
  wanted.sort().reverse();
  const { ids, pages } = await list(sender, 'state=uncertain&limit=100');
  expect(ids).toEqual(wanted);
  expect(pages).toBe(3);
  expect((await list(sender, 'state=uncertain&limit=7')).ids).toEqual(wanted);
  expect((await list(sender, 'state=failed')).ids).toHaveLength(70);
});

test('what has left the state, is of a batch or of another account is not listed', async () => {
  const [sender, other] = [await account('left'), await account('other')];
  const ids = await send(sender, 3);
  await end(sender, ids, 'uncertain', [0, 1, 2]);
  await end(sender, ids, 'sent', [1]);
  const batch = await storeBatch(api.context.database, {
    accountId: Number(sender.id),
    routeId,
    lines: ['{"to":"+31612345678","body":"x"}'],
  });
  const [chunk] = batch.chunks;
  const at = { batch: batch.id, chunk: chunk!, accountId: Number(sender.id) };
  await recordOutcome(api.context.database, { ...at, state: stateNumber.uncertain });
  expect((await list(sender, 'state=uncertain')).ids).toEqual([ids[2], ids[0]]);
  expect((await list(other, 'state=uncertain')).ids).toEqual([]);
});

test('a list that meets many chunks whose messages have left the state still comes to its end', async () => {
  const sender = await account('many');
  const first = await send(sender, 1);
  await end(sender, first, 'uncertain', [0]);
  for (let n = 0; n < 130; n++) {
    const ids = await send(sender, 1);
    await end(sender, ids, 'uncertain', [0]);
    await end(sender, ids, 'sent', [0]);
  }
  expect((await list(sender, 'state=uncertain')).ids).toEqual(first);
});

test('a time bounds it, and what it cannot list is refused with what it can', async () => {
  const sender = await account('bounds');
  const ids = await send(sender, 1);
  await end(sender, ids, 'canceled', [0]);
  expect((await list(sender, 'state=canceled&since=2026-01-01T00:00:00Z')).ids).toEqual(ids);
  expect((await list(sender, 'state=canceled&until=2026-01-01T00:00:00Z')).ids).toEqual([]);
  expect((await list(sender, 'state=canceled&since=2126-01-01T00:00:00Z')).ids).toEqual([]);
  for (const query of ['state=queued', 'state=sent', 'state=uncertain&to=%2B31612345678', 'limit=3']) {
    const { status, json } = await api.call('GET', `/v1/messages?${query}`, { key: sender.key });
    expect(status).toBe(422);
    expect(json.detail).toMatch(/"uncertain" or "failed"|one of `to`, `ref` and `state`/);
  }
});

test('a page is read from the index in its order, whatever else there is', async () => {
  const plan = await api.context.database.transaction(async (transaction) => {
    const run = async (text: string) =>
      (await transaction.query<Record<string, string>>({ name: '', text })).rows;
    // A table of a few rows would be read through.
    await run('SET LOCAL enable_seqscan = off');
    await run('SET LOCAL enable_bitmapscan = off');
    await run('SET LOCAL plan_cache_mode = force_generic_plan');
    const { text } = listSinglesWithOutcomeStatement;
    await run(`PREPARE singles (integer, smallint, uuid, uuid, integer) AS ${text}`);
    const [from, to] = ['00000000-0000-0000-0000-000000000000', highestId];
    return (await run(`EXPLAIN EXECUTE singles (1, 9, '${from}', '${to}', 64)`)).map(
      (row) => row['QUERY PLAN'],
    );
  });
  const text = plan.slice(plan.findIndex((line) => line!.includes('Limit'))).join('\n');
  expect(text).toMatch(
    /^ *-> {2}Limit.*\n *-> {2}Unique.*\n *-> {2}Append.*\n *-> {2}Index Only Scan Backward using outcome_p\d+_account/,
  );
});
