import { afterAll, beforeAll, expect, test } from 'vitest';
import { runOfLine, shardOfRun } from '../../src/intake/shard-of-run.ts';
import { encodeChunk } from '../../src/message/chunk-codec.ts';
import { readFinishedBatch } from '../../src/store/delivery/finish-batches.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { closeBatch, listHalfClosed } from '../../src/store/intake/close-batch.ts';
import { type SlotsOfRun, storeSlots } from '../../src/store/intake/store-slots.ts';
import { beginUpload } from '../../src/store/intake/uploads.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import { numbered, startIntake, type TestIntake } from './start-intake.ts';

let api: TestIntake;
beforeAll(async () => {
  api = await startIntake();
});
afterAll(() => api.stop());

const ndjson = { 'content-type': 'application/x-ndjson' };

async function newBatch(settings: Record<string, unknown> = {}): Promise<string> {
  return (await api.call('POST', '/v1/batches', { body: { route: 'r', ...settings } })).json.id;
}

/** A slot of one message on that line, held until the batch is closed, as an upload in another process stores it. */
async function heldSlot(
  batch: string,
  { upload, line }: { upload: number; line: number },
): Promise<SlotsOfRun> {
  const range = await partitionRange(api.database);
  const shard = shardOfRun(batch, runOfLine(line));
  const id = createIdMint({ nowMs: Date.now, range: () => range }).mint(shard);
  const message = encodeChunk(Buffer.from('{"to":"+31612345678"}'));
  const lane = { accountId: 1, routeId: 1, priority: 1 };
  const waits = { timed: false, dueAt: 'infinity' as const, lookup: { hashes: [] } };
  const chunk = { id, ...lane, count: 1, ...message, ...waits };
  return { batch, shard, upload, slots: [{ firstLine: line, lines: 1, accepted: 1, rejected: 0, chunk }] };
}

async function uploadElsewhere(batch: string): Promise<number> {
  const begun = await beginUpload(api.database, { batch, accountId: 1, test: false, atomic: false });
  if (begun.kind !== 'begun') throw new Error(`the upload was not begun but ${begun.kind}`);
  return begun.upload.upload;
}

test('an upload that another process still runs cannot commit behind the closing of its batch', async () => {
  const { json } = await api.call('POST', '/v1/batches', { body: { route: 'r', start: 'close' } });
  const batch = json.id as string;
  const upload = await uploadElsewhere(batch);
  expect(await storeSlots(api.database, await heldSlot(batch, { upload, line: 1 }))).toEqual({
    kind: 'stored',
  });
  expect((await api.call('POST', `/v1/batches/${batch}/close`)).status).toBe(200);
  for (const line of [2, 1_000_001]) {
    const late = await heldSlot(batch, { upload, line });
    expect(await storeSlots(api.database, late), `line ${line}`).toEqual({ kind: 'superseded' });
  }
  const due = 'SELECT isfinite(due_at) AS released FROM pending WHERE batch = $1';
  expect((await api.database.query({ name: '', text: due }, [batch])).rows).toEqual([{ released: true }]);
});

test('a closing that was cut off is finished, and its batch not called done before', async () => {
  const batch = await newBatch();
  const upload = await uploadElsewhere(batch);
  await api.database.query({ name: '', text: 'UPDATE batch SET closed_at = now() WHERE id = $1' }, [batch]);
  expect(await readFinishedBatch(api.database, batch)).toBeUndefined();
  expect(await listHalfClosed(api.database)).toContainEqual({ batch, accountId: 1 });
  await closeBatch(api.database, { batch, accountId: 1 });
  expect(await listHalfClosed(api.database)).not.toContainEqual({ batch, accountId: 1 });
  expect(await readFinishedBatch(api.database, batch)).toMatchObject({ id: batch });
  const late = await heldSlot(batch, { upload, line: 1 });
  expect(await storeSlots(api.database, late)).toEqual({ kind: 'superseded' });
});

test('a late commit of an upload that died is refused although another upload ended well since', async () => {
  const batch = await newBatch();
  const dead = await uploadElsewhere(batch);
  const path = `/v1/batches/${batch}`;
  expect((await api.call('POST', `${path}/messages`, { headers: ndjson, body: numbered(3) })).status).toBe(
    200,
  );
  expect((await api.call('POST', `${path}/close`)).json.counts.accepted).toBe(3);
  const late = await heldSlot(batch, { upload: dead, line: 1_000_001 });
  expect(await storeSlots(api.database, late)).toEqual({ kind: 'superseded' });
});

test('closing a batch whose uploads all ended raises no fence', async () => {
  const batch = await newBatch();
  for (const from of [0, 3]) {
    const body = numbered(3, from);
    await api.call('POST', `/v1/batches/${batch}/messages`, { headers: ndjson, body });
  }
  await api.call('POST', `/v1/batches/${batch}/close`);
  const fences = { name: '', text: 'SELECT FROM batch_fence WHERE batch = $1' };
  expect((await api.database.query(fences, [batch])).rowCount).toBe(1);
});

test('deliveries hear of a batch that begins at its closing, whichever call closes it', async () => {
  const heard = async (path: string, body?: string) => {
    const before = api.released.length;
    const { status } = await api.call('POST', path, body === undefined ? {} : { headers: ndjson, body });
    expect(status, path).toBeLessThan(300);
    return api.released.slice(before);
  };
  const closed = await newBatch({ start: 'close' });
  expect(await heard(`/v1/batches/${closed}/close`)).toEqual([closed]);
  expect(await heard(`/v1/batches/${closed}/close`)).toEqual([]);
  const filled = await newBatch({ start: 'close' });
  expect(await heard(`/v1/batches/${filled}/messages?close=true`, numbered(2))).toEqual([filled]);
  expect(await heard('/v1/batches?route=r&start=close', numbered(2))).toHaveLength(1);
  // Its chunks were due as they were stored, and told of by themselves.
  expect(await heard('/v1/batches?route=r', numbered(2))).toEqual([]);
});
