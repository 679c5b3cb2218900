import { createHash } from 'node:crypto';
import { get as httpGet } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MessageDefaults } from '../../src/message/fields.ts';
import { messageIdAt } from '../../src/message/id.ts';
import { stateNumber } from '../../src/message/state.ts';
import type { TestApi } from '../api/start-api.ts';
import { startApiWithRoute } from './start-reading.ts';
import { recordOutcome, type StoredBatch, storeBatch } from './store-batch.ts';

const count = 12_000;
let api: TestApi;
let routeId: number;
let batch: StoredBatch;

beforeAll(async () => {
  ({ api, routeId } = await startApiWithRoute());
  const lines = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      to: `+316${String(index).padStart(8, '0')}`,
      body: `“${index}”,\n"x"`,
      ref: `r${index}`,
    }),
  );
  batch = await store(lines, 900);
  const { database } = api.context;
  for (const chunk of batch.chunks.slice(0, 10)) {
    const refs = Array.from({ length: chunk.count }, (_, offset) => `p${offset}`);
    await recordOutcome(database, { batch: batch.id, chunk, state: stateNumber.sent, providerRefs: refs });
  }
});

afterAll(() => api.stop());

function store(lines: string[], chunkLines: number, defaults: MessageDefaults = {}): Promise<StoredBatch> {
  return storeBatch(api.context.database, { accountId: 1, routeId, lines, chunkLines, defaults });
}

function exportPath(query = ''): string {
  return `/v1/batches/${batch.id}/export${query}`;
}

/** An answer as bytes; `cutAfter` hangs up behind about so many. */
function read(path: string, cutAfter = Number.POSITIVE_INFINITY): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${api.adminKey}` };
    const request = httpGet(api.url + path, { headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size < cutAfter) return;
        resolve(Buffer.concat(parts).subarray(0, cutAfter));
        request.destroy();
      });
      response.on('end', () => resolve(Buffer.concat(parts)));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** What lies before the trailer, once the trailer has been checked against it. */
function checked(bytes: Buffer, lead = ''): Buffer {
  const end = bytes.lastIndexOf('\n', -2) + 1;
  const before = bytes.subarray(0, end);
  const last = bytes.subarray(end).toString();
  expect(last.startsWith(lead)).toBe(true);
  const { trailer } = JSON.parse(last.slice(lead.length));
  expect(trailer.sha256).toBe(createHash('sha256').update(before).digest('hex'));
  return before;
}

function idsOf(ndjson: Buffer): string[] {
  return ndjson
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).id);
}

describe('an export', () => {
  test('holds every message of the batch once, in order of id, with what became of it', async () => {
    const bytes = await read(exportPath());
    const whole = checked(bytes);
    const expected = batch.chunks.flatMap((chunk) =>
      Array.from({ length: chunk.count }, (_, offset) => messageIdAt(chunk.id, offset)),
    );
    expect(idsOf(whole)).toEqual(expected.sort());
    const messages = whole.toString().split('\n').slice(0, -1);
    expect(messages.filter((line) => JSON.parse(line).state === 'sent')).toHaveLength(9_000);
    expect(JSON.parse(bytes.subarray(whole.length).toString()).trailer.count).toBe(count);
    const one = await api.call('GET', `/v1/messages/${expected[123]}`);
    const { timeline, ...fields } = one.json;
    expect(timeline.length).toBeGreaterThan(0);
    expect(JSON.parse(messages[123]!)).toEqual(fields);
  });

  test('that is cut anywhere and goes on agrees to the byte with the whole one', async () => {
    const whole = checked(await read(exportPath()));
    for (let round = 0; round < 4; round++) {
      const parts: Buffer[] = [];
      let after = '';
      for (;;) {
        const bytes = await read(exportPath(after), 1 + Math.floor(Math.random() * whole.length));
        const lines = bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
        const isWhole = lines.length === bytes.length && bytes.includes('{"trailer"');
        const messages = isWhole ? checked(bytes) : lines;
        parts.push(messages);
        if (isWhole) break;
        if (messages.length > 0)
          after = `?after=${idsOf(messages.subarray(messages.lastIndexOf('\n', -2) + 1))[0]}`;
      }
      expect(Buffer.concat(parts).equals(whole), `round ${round}`).toBe(true);
    }
  });

  test('as CSV agrees with itself in the same way, its header coming once', async () => {
    const whole = checked(await read(exportPath('?format=csv')), '# ');
    expect(whole.subarray(0, 17).toString()).toBe('id,batchId,route,');
    const [middle] = batch.chunks
      .map(({ id }) => id)
      .sort()
      .slice(3);
    const after = messageIdAt(middle!, 10);
    const rest = checked(await read(exportPath(`?format=csv&after=${after}`)), '# ');
    expect(rest.equals(whole.subarray(whole.indexOf(`\r\n${messageIdAt(middle!, 11)}`) + 2))).toBe(true);
  });

  test('of an empty batch, or behind the last message, is a trailer alone', async () => {
    const empty = await store([], 1_000);
    expect(checked(await read(`/v1/batches/${empty.id}/export`))).toHaveLength(0);
    const last = batch.chunks
      .map(({ id, count: held }) => messageIdAt(id, held - 1))
      .sort()
      .at(-1);
    expect(checked(await read(exportPath(`?after=${last}`)))).toHaveLength(0);
  });

  test('ends in an error and no trailer when it fails midway, and is logged', async () => {
    const broken = await store(['{"to":"+31600000001"}', '{"to":"+31600000002"}'], 1);
    const last = broken.chunks
      .map(({ id }) => id)
      .sort()
      .at(-1)!;
    const many = await store(
      Array.from({ length: 9_000 }, (_, index) => `{"to":"+316${String(index).padStart(8, '0')}"}`),
      1_000,
    );
    const { database } = api.context;
    const damaged = many.chunks
      .map(({ id }) => id)
      .sort()
      .at(-1)!;
    const damage = { name: '', text: `UPDATE chunk SET payload = '\\x00' WHERE id = $1` };
    await database.query(damage, [damaged]);
    const lines = (await read(`/v1/batches/${many.id}/export`)).toString().split('\n').slice(0, -1);
    expect(JSON.parse(lines.at(-1)!).error).toMatchObject({ code: 'internal', status: 500 });
    expect(lines.length).toBeGreaterThan(1_000);
    expect(lines.some((line) => line.startsWith('{"trailer"'))).toBe(false);
    // What fails before the first byte is still an answer with a status.
    await database.query(damage, [last]);
    expect((await api.call('GET', `/v1/batches/${broken.id}/export`)).status).toBe(500);
  });

  test('waits for a reader that is slow, reading no more than a few parts ahead', async () => {
    // Twenty times what the sockets of both sides hold.
    const lines = Array.from({ length: 40_000 }, () => '{"to":"+31600000001"}');
    const large = await store(lines, 1_000, { body: 'x'.repeat(4_000) });
    const { database } = api.context;
    const query = database.query.bind(database);
    let read = 0;
    database.query = (statement, values) => {
      if (statement.name === 'read_chunks') read += (values![1] as string[]).length;
      return query(statement, values);
    };
    try {
      const headers = { authorization: `Bearer ${api.adminKey}` };
      const finished = await new Promise<number>((resolve, reject) => {
        const request = httpGet(
          `${api.url}/v1/batches/${large.id}/export`,
          { headers, agent: false },
          (response) => {
            response.once('readable', async () => {
              // Nothing is taken from the socket until the server has come to rest.
              let before = -1;
              while (before !== read) {
                before = read;
                await new Promise((again) => setTimeout(again, 300));
              }
              resolve(read);
              request.destroy();
            });
          },
        );
        request.on('error', reject);
      });
      expect(finished).toBeLessThan(large.chunks.length / 2);
    } finally {
      database.query = query;
    }
  });
});

describe('rejections of a batch', () => {
  test('are all read back, in order of line', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) =>
      index % 3 === 0 ? `{"to":"bad ${index}"}` : `{"to":"+316${String(index).padStart(8, '0')}"}`,
    );
    const mixed = await store(lines, 100);
    const text = (await read(`/v1/batches/${mixed.id}/rejections`)).toString();
    const rejected = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    expect(rejected.map(({ line }) => line)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => index * 3 + 1),
    );
    expect(rejected[0]).toMatchObject({ code: 'invalid_recipient', detail: expect.any(String) });
    expect((await read(`/v1/batches/${batch.id}/rejections`)).length).toBe(0);
  });
});
