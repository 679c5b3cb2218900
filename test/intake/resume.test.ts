import { afterAll, beforeAll, expect, test } from 'vitest';
import { BatchUploads, type BatchUploadsSettings } from '../../src/intake/batch-uploads.ts';
import { packSlot } from '../../src/intake/pack-slot.ts';
import { shardOfRun } from '../../src/intake/shard-of-run.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createSemaphore } from '../../src/lib/semaphore.ts';
import { createIdMint } from '../../src/store/id-mint.ts';
import { partitionRange } from '../../src/store/partitions.ts';
import {
  eventually,
  numbered,
  openUpload,
  startIntake,
  storedMessages,
  type TestIntake,
} from './start-intake.ts';

let api: TestIntake;
beforeAll(async () => {
  api = await startIntake();
});
afterAll(() => api.stop());

const ndjson = { 'content-type': 'application/x-ndjson' };

async function newBatch(): Promise<string> {
  return (await api.call('POST', '/v1/batches', { body: { route: 'r' } })).json.id;
}

async function refsOf(batch: string): Promise<number[]> {
  return (await storedMessages(api.database, batch)).map(({ ref }) => Number(ref)).sort((a, b) => a - b);
}

function run(text: string, values: unknown[] = []) {
  return api.database.query({ name: '', text }, values);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

async function nextLineOf(batch: string): Promise<number> {
  return (await api.call('GET', `/v1/batches/${batch}`, { headers: { 'millrace-consistency': 'unknown' } }))
    .json.nextLine;
}

/** Deterministic, so that a failure can be seen again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('an upload cut at random points and resumed a hundred times loses and doubles nothing', async () => {
  const count = 60_000;
  const lines = numbered(count).split(/(?<=\n)/);
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const random = randomFrom(7);
  for (let cut = 0; cut < 100; cut++) {
    const from = await nextLineOf(batch);
    const rest = Buffer.from(lines.slice(from - 1).join(''));
    const upload = openUpload(api, { path, headers: { 'upload-line': String(from) } });
    await upload.write(rest.subarray(0, Math.floor(random() * Math.min(rest.length, 60_000))));
    await upload.cut();
  }
  await eventually(async () => {
    const from = await nextLineOf(batch);
    const { status, json } = await api.call('POST', path, {
      headers: { ...ndjson, 'upload-line': String(from) },
      body: lines.slice(from - 1).join(''),
    });
    if (status !== 200) expect(json.code).toBe('upload_line_mismatch');
    return status === 200;
  });
  expect(await nextLineOf(batch)).toBe(count + 1);
  expect(await refsOf(batch)).toEqual(upTo(count));
  const { json } = await api.call('POST', `/v1/batches/${batch}/close`);
  expect(json.counts).toMatchObject({ accepted: count, rejected: 0, queued: count });
});

test('a one-shot sent again with its key after cuts takes every line once', async () => {
  const count = 20_000;
  const body = Buffer.from(numbered(count));
  const headers = { ...ndjson, 'idempotency-key': 'one-shot' };
  const random = randomFrom(11);
  for (let cut = 0; cut < 10; cut++) {
    const upload = openUpload(api, { path: '/v1/batches?route=r', headers });
    await upload.write(body.subarray(0, Math.floor(random() * body.length)));
    await upload.cut();
  }
  let answer = await api.call('POST', '/v1/batches?route=r', { headers, body: body.toString() });
  await eventually(async () => {
    if (answer.status === 201) return true;
    expect(answer.json.code).toBe('idempotency_in_progress');
    answer = await api.call('POST', '/v1/batches?route=r', { headers, body: body.toString() });
    return answer.status === 201;
  });
  expect(answer.json.counts).toMatchObject({ accepted: count, rejected: 0 });
  expect(await refsOf(answer.json.id)).toEqual(upTo(count));

  const again = await api.call('POST', '/v1/batches?route=r', { headers, body: body.toString() });
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.json).toEqual(answer.json);
  const other = await api.call('POST', '/v1/batches?route=r', { headers, body: numbered(1) });
  expect(other.json).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
});

test('a keyed append sent again goes on where it began', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  await api.call('POST', path, { headers: ndjson, body: numbered(500) });
  const headers = { ...ndjson, 'idempotency-key': 'append' };
  const rest = numbered(3_000, 500);
  const upload = openUpload(api, { path, headers });
  await upload.write(rest.slice(0, rest.length / 2));
  await eventually(async () => (await nextLineOf(batch)) > 501);
  await upload.cut();
  await eventually(async () => {
    const { status, json } = await api.call('POST', path, { headers, body: rest });
    if (status !== 200) expect(json.code).toBe('idempotency_in_progress');
    return status === 200;
  });
  expect(await refsOf(batch)).toEqual(upTo(3_500));
});

test('a keyed append whose server died as it began again can be sent again', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const headers = { ...ndjson, 'idempotency-key': 'begun' };
  const body = numbered(3_000);
  const first = openUpload(api, { path, headers });
  await first.write(body.slice(0, body.length / 2));
  await eventually(async () => (await nextLineOf(batch)) > 1);
  await first.cut();

  // The number of the next tries' uploads is noted nowhere: what follows their beginning fails.
  await run(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'died'; END $$`);
  await run(`CREATE TRIGGER die BEFORE UPDATE ON idempotency FOR EACH ROW
    WHEN (new.upload IS DISTINCT FROM old.upload) EXECUTE FUNCTION die()`);
  const begun = 'SELECT FROM batch WHERE id = $1 AND upload >= $2';
  for (const upload of [2, 3]) {
    await eventually(async () => {
      const { status } = await api.call('POST', path, { headers, body });
      if (status !== 500) expect(status).toBe(409);
      return (await run(begun, [batch, upload])).rowCount === 1;
    });
  }
  await run('DROP TRIGGER die ON idempotency');

  await eventually(async () => {
    const { status, json } = await api.call('POST', path, { headers, body });
    if (status !== 200) expect(json.code).toBe('idempotency_in_progress');
    return status === 200;
  });
  expect(await refsOf(batch)).toEqual(upTo(3_000));
});

test('a keyed append behind which another upload came is not guessed at', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const headers = { ...ndjson, 'idempotency-key': 'overtaken' };
  const first = openUpload(api, { path, headers });
  await first.write(numbered(10));
  await eventually(async () => (await nextLineOf(batch)) === 11);
  await first.cut();
  expect((await api.call('POST', path, { headers: ndjson, body: numbered(5, 10) })).status).toBe(200);
  await eventually(async () => {
    const { json } = await api.call('POST', path, { headers, body: numbered(20) });
    if (json.code !== 'idempotency_in_progress') {
      expect(json).toMatchObject({ status: 409, code: 'upload_superseded' });
    }
    return json.code === 'upload_superseded';
  });
  expect(await refsOf(batch)).toEqual(upTo(15));
});

test('an account that knows the batch of another cannot end an upload to it', async () => {
  const batch = await newBatch();
  const upload = openUpload(api, { path: `/v1/batches/${batch}/messages` });
  await upload.write(numbered(3));
  await eventually(async () => (await nextLineOf(batch)) === 4);
  const { key } = await api.makeAccount('Mallory', ['send']);
  const path = `/v1/batches/${batch}`;
  const append = api.call('POST', `${path}/messages`, { key, headers: ndjson, body: numbered(1) });
  expect((await append).status).toBe(404);
  expect((await api.call('POST', `${path}/close`, { key })).status).toBe(404);
  await upload.write(numbered(2, 3));
  expect(await upload.end()).toMatchObject({ status: 200, json: { accepted: 5 } });
});

test('a new upload ends the one that still runs', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const older = openUpload(api, { path });
  await older.write(numbered(1_500));
  await eventually(async () => (await nextLineOf(batch)) === 1_501);
  const newer = await api.call('POST', path, { headers: ndjson, body: numbered(10, 1_500) });
  expect(newer.json).toMatchObject({ accepted: 10, nextLine: 1_511 });
  expect(await older.answer).toMatchObject({ status: 409, json: { code: 'upload_superseded' } });
  expect(await refsOf(batch)).toEqual(upTo(1_510));
});

test('what a slow sender has sent becomes durable while it pauses', async () => {
  const batch = await newBatch();
  const upload = openUpload(api, { path: `/v1/batches/${batch}/messages` });
  await upload.write(numbered(3));
  await eventually(async () => (await nextLineOf(batch)) === 4);
  await upload.write(numbered(2, 3));
  expect(await upload.end()).toMatchObject({ status: 200, json: { accepted: 5, nextLine: 6 } });
  expect(await refsOf(batch)).toEqual(upTo(5));
});

test('a line that a dead upload commits late, in another slot, is not taken a second time', async () => {
  const batch = await newBatch();
  const path = `/v1/batches/${batch}/messages`;
  const shard = shardOfRun(batch, 0);
  const bump = { name: '', text: 'UPDATE batch SET upload = upload + 1 WHERE id = $1 RETURNING upload' };
  const { rows } = await api.database.query<{ upload: number }>(bump, [batch]);
  const dead = rows[0]!.upload;

  let commit = () => {};
  const held = new Promise<void>((resolve) => {
    commit = resolve;
  });
  let written = () => {};
  const isWritten = new Promise<void>((resolve) => {
    written = resolve;
  });
  const late = api.database.transaction(async (transaction) => {
    const fence = 'INSERT INTO batch_fence (shard, batch, upload) VALUES ($1, $2, $3)';
    await transaction.query({ name: '', text: fence }, [shard, batch, dead]);
    const slot = `INSERT INTO batch_slot (shard, batch, first_line, lines, accepted, rejected)
      VALUES ($1, $2, 5, 100, 0, 0)`;
    await transaction.query({ name: '', text: slot }, [shard, batch]);
    written();
    await held;
  });
  await isWritten;
  const upload = api.call('POST', path, { headers: ndjson, body: numbered(1_000) });
  await eventually(async () => {
    const waiting = `SELECT count(*)::integer AS waiting FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    const found = await api.database.query<{ waiting: number }>({ name: '', text: waiting });
    return found.rows[0]!.waiting > 0;
  });
  commit();
  await late;
  expect((await upload).json).toMatchObject({ status: 409, code: 'upload_line_mismatch', nextLine: 1 });

  const again = await api.call('POST', path, { headers: ndjson, body: numbered(1_000) });
  expect(again.json).toMatchObject({ accepted: 900, nextLine: 1_001 });
  expect(await refsOf(batch)).toEqual(upTo(1_000).filter((n) => n < 4 || n >= 104));
});

test('an upload that was ended elsewhere cannot commit any more', async () => {
  const batch = await newBatch();
  const older = openUpload(api, { path: `/v1/batches/${batch}/messages` });
  await older.write(numbered(10));
  await eventually(async () => (await nextLineOf(batch)) === 11);
  // As another process does it.
  await api.database.query({ name: '', text: 'UPDATE batch SET upload = upload + 1 WHERE id = $1' }, [batch]);
  await api.database.query(
    { name: '', text: 'UPDATE batch_fence SET upload = upload + 1 WHERE batch = $1' },
    [batch],
  );
  await older.write(numbered(10, 10));
  expect(await older.answer).toMatchObject({
    status: 409,
    json: { code: 'upload_superseded', nextLine: 11 },
  });
  expect(await refsOf(batch)).toEqual(upTo(10));
});

test('closing a batch ends its upload', async () => {
  const batch = await newBatch();
  const upload = openUpload(api, { path: `/v1/batches/${batch}/messages` });
  await upload.write(numbered(7));
  await eventually(async () => (await nextLineOf(batch)) === 8);
  await api.call('POST', `/v1/batches/${batch}/close`);
  expect(await upload.answer).toMatchObject({ status: 409, json: { code: 'upload_superseded' } });
  expect(await refsOf(batch)).toEqual(upTo(7));
});

/** Uploads whose packing the test has in its hands. */
async function uploadsWith(pack: BatchUploadsSettings['pack']): Promise<BatchUploads> {
  const range = await partitionRange(api.database);
  return new BatchUploads({
    database: api.database,
    mint: createIdMint({ nowMs: Date.now, range: () => range }),
    clock: systemClock,
    stores: createSemaphore(2),
    checkpoints: createSemaphore(1),
    pack,
    hints: { push() {}, released() {} },
    channelOf: async () => undefined,
    countryOf: () => undefined,
    templates: {
      of: () => new Map(),
      ofBatch: () => Promise.reject(new Error('none')),
      lookAgain: async () => {},
    },
    nowMs: Date.now,
    scheduleAheadMs: 86_400_000,
    onStored() {},
    isMetered: () => false,
    countsParts: () => false,
    shedding: { isOn: false, problemOf: () => undefined },
    onRefused() {},
  });
}

async function* stalled(): AsyncGenerator<Buffer> {
  yield Buffer.from(numbered(10_000));
  await new Promise(() => {});
}

test('an upload that is ended while its slots are packed does not wait for a sender that has stalled', async () => {
  const batch = await newBatch();
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let packs = 0;
  const uploads = await uploadsWith(async (slot, settings) => {
    packs++;
    await gate;
    return packSlot(slot, settings);
  });
  const ending = new AbortController();
  const { signal } = ending;
  const upload = uploads.upload({
    batch,
    accountId: 1,
    test: false,
    atomic: false,
    format: 'ndjson',
    body: stalled(),
    signal,
  });
  const ended = expect(upload).rejects.toThrow('ended by the test');
  await eventually(async () => packs > 0);
  ending.abort(new Error('ended by the test'));
  open();
  await ended;
});

test('slots of a sender who has gone wait for their turn no more, and what had it becomes durable', async () => {
  const batch = await newBatch();
  let waiting = 0;
  const uploads = await uploadsWith(async (slot, settings) => {
    if (slot.firstLine === 1) return packSlot(slot, settings);
    waiting++;
    return await new Promise((_, reject) => {
      settings.signal.addEventListener('abort', () => reject(settings.signal.reason), { once: true });
    });
  });
  const leaving = new AbortController();
  const { signal } = new AbortController();
  const upload = uploads.upload({
    ...{ batch, accountId: 1, test: false, atomic: false, format: 'ndjson', body: stalled(), signal },
    gone: leaving.signal,
  });
  const ended = expect(upload).rejects.toThrow('gone');
  await eventually(async () => waiting > 0);
  leaving.abort(new Error('gone'));
  await ended;
  expect(await refsOf(batch)).toEqual(upTo(1_000));
});

test('uploads that cannot begin leave single messages a connection', async () => {
  const batches = await Promise.all(Array.from({ length: 8 }, newBatch));
  const { database } = api.context;
  const uploads = await database.transaction(async (transaction) => {
    const lock = { name: '', text: 'SELECT 1 FROM batch WHERE id = ANY($1::uuid[]) FOR UPDATE' };
    await transaction.query(lock, [batches]);
    const begun = batches.map((batch) =>
      api.call('POST', `/v1/batches/${batch}/messages`, { headers: ndjson, body: numbered(1) }),
    );
    const blocked = {
      name: '',
      text: `SELECT count(*)::int AS uploads FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    };
    await eventually(async () => (await database.query<{ uploads: number }>(blocked)).rows[0]!.uploads >= 2);
    const single = await api.call('POST', '/v1/messages', { body: { route: 'r', to: '+31612345678' } });
    expect(single.status).toBe(202);
    return begun;
  });
  for (const upload of await Promise.all(uploads)) expect(upload.status).toBe(200);
});

test('a server that stops tells a running upload so, and from where to resume', async () => {
  const other = await startIntake();
  const { json } = await other.call('POST', '/v1/batches', { body: { route: 'r' } });
  const path = `/v1/batches/${json.id}`;
  const upload = openUpload(other, { path: `${path}/messages` });
  await upload.write(numbered(7));
  await eventually(async () => {
    const headers = { 'millrace-consistency': 'unknown' };
    return (await other.call('GET', path, { headers })).json.nextLine === 8;
  });
  other.context.lifecycle.beginStop();
  expect(await upload.answer).toMatchObject({ status: 503, json: { code: 'stopping', nextLine: 8 } });
  await other.stop();
});
