import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeChunk, splitFrame } from '../../src/message/chunk-codec.ts';
import { decodeOrdering, orderingKey } from '../../src/message/ordering.ts';
import { eventually, openUpload, startIntake, type TestIntake } from './start-intake.ts';

let api: TestIntake;

beforeAll(async () => {
  api = await startIntake();
});
afterAll(() => api.stop());

const ndjson = { 'content-type': 'application/x-ndjson' };

/** Lines whose `ref` is their number from 0; two of three have one of `keys` keys. */
function keyedLine(n: number, keys: number): string {
  const key = n % 3 === 0 ? '' : `,"orderingKey":"k${(n * 7) % keys}"`;
  return `{"to":"+3161${1_000_000 + n}","ref":"${n}"${key}}\n`;
}

function keyedLines(count: number, { from = 0, keys = 100 } = {}): string {
  return Array.from({ length: count }, (_, n) => keyedLine(from + n, keys)).join('');
}

interface Stored {
  shard: number;
  n: number;
  key: string | undefined;
  ordered: boolean;
}

/** What is stored, in the order in which it is to leave on each shard. */
async function stored(batch: string | null, defaultKey?: string): Promise<Stored[]> {
  const { rows } = await api.database.query<{
    shard: number;
    codec: number;
    payload: Buffer;
    count: number;
    ordered: string | null;
    ordering: Buffer | null;
  }>(
    {
      name: '',
      text: `SELECT c.shard, c.codec, c.payload, c.count, p.ordered, p.ordering
        FROM chunk c JOIN pending p ON p.shard = c.shard AND p.chunk_id = c.id
        WHERE c.batch IS NOT DISTINCT FROM $1 ORDER BY c.shard, p.ordered, c.id`,
    },
    [batch],
  );
  return rows.flatMap(({ shard, codec, payload, count, ordered, ordering }) => {
    const lines = splitFrame(decodeChunk(codec, payload)).map((line) => JSON.parse(line));
    expect(lines).toHaveLength(count);
    expect(count).toBeLessThanOrEqual(1_000);
    const hashes = ordering && decodeOrdering(ordering);
    return lines.map((line: { ref: string; orderingKey?: string }, offset) => {
      const text = line.orderingKey ?? defaultKey;
      if (text !== undefined) {
        const bytes = Buffer.from(text);
        const key = orderingKey({ accountId: 1, test: false }, { bytes, start: 0, end: bytes.length });
        expect({ shard, hash: hashes![offset] }).toEqual(key);
      } else expect(hashes).toBeNull();
      return { shard, n: Number(line.ref), key: text, ordered: ordered !== null };
    });
  });
}

/** Each number once, and those of a key in their order. */
function expectOrder(messages: readonly Stored[], count: number): void {
  expect(messages.map(({ n }) => n).sort((a, b) => a - b)).toEqual(
    Array.from({ length: count }, (_, n) => n),
  );
  const last = new Map<string, number>();
  for (const { key, n } of messages) {
    if (key === undefined) continue;
    expect(n).toBeGreaterThan(last.get(key) ?? -1);
    last.set(key, n);
  }
}

async function newBatch(fields: object = {}): Promise<string> {
  return (await api.call('POST', '/v1/batches', { body: { route: 'r', ...fields } })).json.id as string;
}

async function nextLineOf(batch: string): Promise<number> {
  const headers = { 'millrace-consistency': 'unknown' };
  return (await api.call('GET', `/v1/batches/${batch}`, { headers })).json.nextLine as number;
}

test('lines with ordering keys lie on the shards of their keys in the order of the upload, and few chunks hold them', async () => {
  const batch = await newBatch();
  const body = keyedLines(20_000);
  const { json } = await api.call('POST', `/v1/batches/${batch}/messages`, { headers: ndjson, body });
  expect(json).toMatchObject({ accepted: 20_000, rejected: 0, nextLine: 20_001 });
  const messages = await stored(batch);
  expectOrder(messages, 20_000);
  expect(new Set(messages.filter(({ key }) => key).map(({ shard }) => shard)).size).toBeLessThanOrEqual(16);
  const counts = (await api.call('GET', `/v1/batches/${batch}`)).json.counts;
  expect(counts).toMatchObject({ accepted: 20_000, queued: 20_000 });
});

test('an upload that breaks and is resumed, or sent again in other pieces, loses no line and keeps the order', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const total = 9_000;
  for (let cut = 0; ; cut++) {
    const next = await nextLineOf(batch);
    const sent = next - 1;
    const upload = openUpload(api, { path, headers: { 'upload-line': `${next}` } });
    const piece = Math.min(700 + 450 * cut, total - sent);
    await upload.write(keyedLines(piece, { from: sent }));
    if (sent + piece < total) {
      // Some of it is stored by then.
      await eventually(async () => (await nextLineOf(batch)) > next);
      await upload.cut();
    } else {
      // The one before may have gone on until it was known to be dead.
      const { status, json } = await upload.end();
      if (status === 200) break;
      expect(json.code).toBe('upload_line_mismatch');
    }
  }
  expectOrder(await stored(batch), total);
});

test('what a dead upload stored of a slot, or commits late, is not taken a second time, however the lines are cut', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const first = await api.call('POST', path, { headers: ndjson, body: keyedLines(1_000) });
  expect(first.json.nextLine).toBe(1_001);
  const second = await api.call('POST', path, { headers: ndjson, body: keyedLines(1_000, { from: 1_000 }) });
  expect(second.json.nextLine).toBe(2_001);
  // As if the second upload had died before it stored its slots: of its messages, those of some keys are there.
  const parts = `SELECT shard FROM batch_slot WHERE batch = $1 AND part > 0 AND first_line > 1000 GROUP BY shard`;
  const { rows } = await api.database.query<{ shard: number }>({ name: '', text: parts }, [batch]);
  const gone = rows.filter((_, index) => index % 2 === 0).map(({ shard }) => shard);
  const removed = `WITH slot AS (
      DELETE FROM batch_slot WHERE batch = $1 AND first_line > 1000 AND (part = 0 OR shard = ANY($2)) RETURNING *
    ), counted AS (
      UPDATE batch_progress p SET count = p.count - s.accepted
        FROM (SELECT shard, sum(accepted) AS accepted FROM slot GROUP BY shard) s
        WHERE p.batch = $1 AND p.shard = s.shard AND p.state = 100
    ), undone AS (DELETE FROM pending USING slot WHERE pending.chunk_id = slot.chunk_id)
    DELETE FROM chunk USING slot WHERE chunk.id = slot.chunk_id`;
  await api.database.query({ name: '', text: removed }, [batch, gone]);
  await api.database.query({ name: '', text: 'UPDATE batch SET next_line = 1001 WHERE id = $1' }, [batch]);
  expect(await nextLineOf(batch)).toBe(1_001);

  // Cut otherwise: the pause ends a slot.
  const again = openUpload(api, { path });
  await again.write(keyedLines(300, { from: 1_000 }));
  await eventually(async () => (await nextLineOf(batch)) === 1_301);
  await again.write(keyedLines(900, { from: 1_300 }));
  expect(await again.end()).toMatchObject({ status: 200, json: { nextLine: 2_201 } });
  expectOrder(await stored(batch), 2_200);
  const { counts } = (await api.call('GET', `/v1/batches/${batch}`)).json as { counts: object };
  expect(counts).toMatchObject({ accepted: 2_200, queued: 2_200 });
});

test('a batch may set the key for its lines, and lines of all forms may name their own', async () => {
  const batch = await newBatch({ orderingKey: 'all' });
  const path = `/v1/batches/${batch}/messages`;
  await api.call('POST', path, { headers: ndjson, body: '{"to":"+31612345670","ref":"0"}\n' });
  const csv = 'to,ref,orderingKey\r\n+31612345671,1,\r\n+31612345672,2,own\r\n';
  await api.call('POST', path, { headers: { 'content-type': 'text/csv' }, body: csv });
  const array =
    '[{"to":"+31612345673","ref":"3"},\n {"to":"+31612345674",\n "ref":"4","orderingKey":"\\u006fwn"}]';
  await api.call('POST', path, { headers: { 'content-type': 'application/json' }, body: array });
  const messages = await stored(batch, 'all');
  expectOrder(messages, 5);
  expect(messages.every(({ ordered }) => ordered)).toBe(true);
  expect(messages.filter(({ key }) => key === 'own').map(({ n }) => n)).toEqual([2, 4]);
  expect((await api.call('GET', `/v1/batches/${batch}`)).json.orderingKey).toBe('all');
  const listed = await api.call('GET', `/v1/batches/${batch}/messages?limit=10`);
  const keys = (listed.json.data as { ref: string; orderingKey: string }[]).map((each) => [
    each.ref,
    each.orderingKey,
  ]);
  expect(Object.fromEntries(keys)).toEqual({ 0: 'all', 1: 'all', 2: 'own', 3: 'all', 4: 'own' });
});

test('single messages keep the order of their requests and of their array, over routes and priorities', async () => {
  await api.call('PUT', '/v1/routes/other', {
    body: { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true },
  });
  let n = 0;
  const message = () => {
    const at = n++;
    return {
      to: '+31612345678',
      ref: `${at}`,
      route: at % 3 === 0 ? 'other' : 'r',
      ...(at % 5 === 0 && { priority: 'bulk' }),
      ...(at % 7 === 0 && { scheduledAt: '2020-01-01T00:00:00Z' }),
      orderingKey: `s${at % 4}`,
    };
  };
  for (let request = 0; request < 10; request++) {
    const body = request % 2 === 0 ? message() : Array.from({ length: 25 }, message);
    const headers = request % 3 === 0 ? { 'idempotency-key': `order-${request}` } : {};
    const { status } = await api.call('POST', '/v1/messages', { body, headers });
    expect(status).toBe(202);
  }
  expectOrder(await stored(null), n);
});
