import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunkIdOf, parseId } from '../../src/message/id.ts';
import { type SendWindow, weekdays } from '../../src/message/send-window/send-window.ts';
import { type StateNumber, stateNumber } from '../../src/message/state.ts';
import { readChunksOfKey } from '../../src/store/reading/read-chunks-of-key.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { recordOutcome } from './store-batch.ts';

let api: TestApi;

const line = { to: '+31612345678', body: 'Your code is 7' };
const connector = { connector: 'http', url: 'https://provider.example/', channel: 'sms' };
const hourMs = 3_600_000;

beforeAll(async () => {
  api = await startApi();
  await putRoute('sms', {});
});

afterAll(() => api.stop());

async function putRoute(name: string, fields: object): Promise<void> {
  const { status } = await api.call('PUT', `/v1/routes/${name}`, { body: { ...connector, ...fields } });
  expect(status).toBeLessThan(300);
}

/** The id of a message in a batch of these settings, and that of the batch. */
async function store(settings: object, fields: object = {}): Promise<{ id: string; batch: string }> {
  const batch = await api.call('POST', '/v1/batches', { body: { route: 'sms', ...settings } });
  await api.call('POST', `/v1/batches/${batch.json.id}/messages`, { body: [{ ...line, ...fields }] });
  const { json } = await api.call('GET', `/v1/batches/${batch.json.id}/messages`);
  return { id: json.data[0].id, batch: batch.json.id };
}

async function waitsFor(id: string) {
  const { json } = await api.call('GET', `/v1/messages/${id}`);
  return json.waitsFor;
}

/** As a worker would, of a message that is alone in its chunk. */
function record(outcome: { id: string; batch: string; state: StateNumber; dueInMs?: number }): Promise<void> {
  const { id, ...more } = outcome;
  return recordOutcome(api.context.database, { chunk: { id: chunkIdOf(id), count: 1 }, ...more });
}

/** Of one message among others of its chunk, which is not at rest. */
async function recordOne(batch: string, id: string, state: StateNumber): Promise<void> {
  const { database } = api.context;
  const chunkId = chunkIdOf(id);
  const { rows } = await database.query<{ count: number }>(
    { name: 'count_of_chunk', text: 'SELECT count FROM chunk WHERE id = $1' },
    [chunkId],
  );
  const chunk = { id: chunkId, count: rows[0]!.count };
  await recordOutcome(database, { batch, chunk, state, offsets: [parseId(id).offset] });
}

/** A window that is closed now, and when it opens. */
function closedWindow(timeZone: string): { window: SendWindow; opensAt: string } {
  const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const fromMs = Math.floor((Date.now() + 3 * hourMs) / 60_000) * 60_000;
  return {
    window: { days: [...weekdays], from: clock(fromMs), to: clock(fromMs + hourMs), timeZone },
    opensAt: new Date(fromMs).toISOString(),
  };
}

test('what is due waits for its turn', async () => {
  const { id } = await store({});
  expect(await waitsFor(id)).toEqual([{ reason: 'turn' }]);
  const { json } = await api.call('POST', '/v1/messages', { body: { ...line, route: 'sms' } });
  expect(await waitsFor(json.messages[0].id)).toEqual([{ reason: 'turn' }]);
});

test('a batch that starts at its closing keeps its messages, and so does one that is paused', async () => {
  const { id, batch } = await store({ start: 'close' });
  expect(await waitsFor(id)).toEqual([{ reason: 'batch_open' }]);
  await api.call('POST', `/v1/batches/${batch}/pause`, { body: {} });
  expect(await waitsFor(id)).toEqual([{ reason: 'batch_open' }, { reason: 'batch_paused' }]);
  await api.call('POST', `/v1/batches/${batch}/close`, { body: {} });
  expect(await waitsFor(id)).toEqual([{ reason: 'batch_paused' }]);
  await api.call('POST', `/v1/batches/${batch}/resume`, { body: {} });
  expect(await waitsFor(id)).toEqual([{ reason: 'turn' }]);
});

test('a paused route keeps its messages', async () => {
  await putRoute('paused', {});
  const { id } = await store({ route: 'paused' });
  await api.call('POST', '/v1/routes/paused/pause', { body: {} });
  expect(await waitsFor(id)).toEqual([{ reason: 'route_paused' }]);
});

test('the time that a batch is scheduled for keeps its messages, unless one has its own', async () => {
  const scheduledAt = new Date(Date.now() + hourMs).toISOString();
  const untilThen = [{ reason: 'scheduled', until: scheduledAt }];
  expect(await waitsFor((await store({ scheduledAt })).id)).toEqual(untilThen);
  expect(await waitsFor((await store({}, { scheduledAt })).id)).toEqual(untilThen);
  const past = '2020-01-01T00:00:00Z';
  expect(await waitsFor((await store({ scheduledAt }, { scheduledAt: past })).id)).toEqual([
    { reason: 'turn' },
  ]);
});

test('a closed window of the batch keeps it, and one of the route', async () => {
  const { window, opensAt } = closedWindow('UTC');
  expect(await waitsFor((await store({ sendWindow: window })).id)).toEqual([
    { reason: 'send_window', until: opensAt },
  ]);
  await putRoute('windowed', { sendWindow: window });
  expect(await waitsFor((await store({ route: 'windowed' })).id)).toEqual([
    { reason: 'send_window', until: opensAt },
  ]);
});

test('a window in the time zone of the recipient is judged by their number', async () => {
  // Iceland keeps UTC all year.
  const { window, opensAt } = closedWindow('recipient');
  const { id } = await store({ sendWindow: window }, { to: '+3546112345' });
  expect(await waitsFor(id)).toEqual([{ reason: 'send_window', until: opensAt }]);
});

test('a retry waits for its time', async () => {
  const { id, batch } = await store({});
  await record({ id, batch, state: stateNumber.retrying, dueInMs: hourMs });
  const { json } = await api.call('GET', `/v1/messages/${id}`);
  const [, retry] = json.timeline;
  expect(Date.parse(retry.dueAt)).toBeGreaterThan(Date.now());
  expect(json.waitsFor).toEqual([{ reason: 'retry', until: retry.dueAt }]);
});

test('a retry that is due waits for its turn', async () => {
  const { id, batch } = await store({});
  await record({ id, batch, state: stateNumber.retrying, dueInMs: -1 });
  expect(await waitsFor(id)).toEqual([{ reason: 'turn' }]);
});

/** Messages with these ordering keys, in one batch and one chunk for each shard; their ids by key, in order. */
async function storeKeyed(keys: string[]): Promise<{ batch: string; idsOf(key: string): string[] }> {
  const { json } = await api.call('POST', '/v1/batches', { body: { route: 'sms' } });
  const body = keys.map((orderingKey) => ({ ...line, orderingKey }));
  await api.call('POST', `/v1/batches/${json.id}/messages`, { body });
  const list = await api.call('GET', `/v1/batches/${json.id}/messages`);
  const messages = list.json.data as { id: string; orderingKey: string }[];
  return {
    batch: json.id,
    idsOf: (key) => messages.filter(({ orderingKey }) => orderingKey === key).map(({ id }) => id),
  };
}

test('an earlier message of its ordering key keeps it, until an end of that is recorded', async () => {
  const { batch, idsOf } = await storeKeyed(['a', 'b', 'a', 'a']);
  const [first, second, third] = idsOf('a') as [string, string, string];
  const behindFirst = [{ reason: 'earlier_message', messageId: first }];
  expect(await waitsFor(first)).toEqual([{ reason: 'turn' }]);
  expect(await waitsFor(second)).toEqual(behindFirst);
  expect(await waitsFor(third)).toEqual(behindFirst);
  expect(await waitsFor(idsOf('b')[0]!)).toEqual([{ reason: 'turn' }]);
  await recordOne(batch, first, stateNumber.sent);
  // Reads of one moment are shared.
  await expect.poll(() => waitsFor(second)).toEqual([{ reason: 'turn' }]);
  await expect.poll(() => waitsFor(third)).toEqual([{ reason: 'earlier_message', messageId: second }]);
});

test('nobody waits for a message that was replayed, and it waits for nobody', async () => {
  const { batch, idsOf } = await storeKeyed(['r', 'r', 'r']);
  const [first, second, third] = idsOf('r') as [string, string, string];
  for (const state of [stateNumber.failed, stateNumber.queued] as const) {
    await recordOne(batch, first, state);
    await recordOne(batch, second, state);
  }
  expect(await waitsFor(second)).toEqual([{ reason: 'turn' }]);
  expect(await waitsFor(third)).toEqual([{ reason: 'turn' }]);
});

test('a long backlog of one key costs a reader no more than its first chunks', async () => {
  const { json } = await api.call('POST', '/v1/batches', { body: { route: 'sms' } });
  const body = `${JSON.stringify({ ...line, orderingKey: 'long' })}\n`.repeat(60_000);
  const headers = { 'content-type': 'application/x-ndjson' };
  await api.call('POST', `/v1/batches/${json.id}/messages`, { body, headers });
  const { database } = api.context;
  const lookBehind = async (order: 'ASC' | 'DESC') => {
    const { rows } = await database.query<{ id: string }>({
      name: '',
      text: `SELECT chunk_id AS id FROM pending WHERE batch = '${json.id}' ORDER BY ordered ${order} LIMIT 1`,
    });
    return rows[0]!.id;
  };
  const [first, last] = [await lookBehind('ASC'), await lookBehind('DESC')];
  expect(await waitsFor(last)).toEqual([{ reason: 'earlier_message', messageId: first }]);
  const chunks = await readChunksOfKey(database, { accountId: 1, chunkId: last, offset: 0 });
  expect(chunks).toHaveLength(16);
});

test('a message of a batch that was canceled waits for nothing', async () => {
  const { id, batch } = await store({});
  await api.call('POST', `/v1/batches/${batch}/cancel`, { body: {} });
  const { json } = await api.call('GET', `/v1/messages/${id}`);
  expect(json.state).toBe('queued');
  expect(json).not.toHaveProperty('waitsFor');
});

test('one past its expiry waits for its end alone', async () => {
  const { id } = await store({ start: 'close' }, { expiresAt: '2026-01-01T00:00:00Z' });
  expect(await waitsFor(id)).toEqual([{ reason: 'expiry' }]);
});

test('a window is looked at from when the message could leave otherwise', async () => {
  const { window } = closedWindow('UTC');
  const scheduledAt = new Date(Date.now() + 6 * hourMs).toISOString();
  const { id } = await store({ sendWindow: window, scheduledAt });
  const [scheduled, opens] = await waitsFor(id);
  expect(scheduled).toEqual({ reason: 'scheduled', until: scheduledAt });
  expect(opens.reason).toBe('send_window');
  expect(Date.parse(opens.until)).toBeGreaterThan(Date.parse(scheduledAt));
  expect(opens.until.slice(11, 16)).toBe(window.from);
});

test('what has come to its end waits for nothing', async () => {
  const { id, batch } = await store({});
  await record({ id, batch, state: stateNumber.sent });
  const { json } = await api.call('GET', `/v1/messages/${id}`);
  expect(json.state).toBe('sent');
  expect(json).not.toHaveProperty('waitsFor');
});
