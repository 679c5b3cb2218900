import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Client,
  createClient,
  fileSource,
  type MessageSource,
  SourceError,
  UploadError,
} from '../../src/client/client.ts';
import { type Fault, type LineServer, startLineServer } from '../support/line-server.ts';
import { answerProblem, startScriptedServer } from '../support/scripted-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  options: Parameters<typeof startLineServer>[0] = {},
): Promise<{ server: LineServer; client: Client }> {
  const server = await startLineServer(options);
  const client = createClient({ url: server.url, key: 'k' });
  cleanups.push(server.stop, client.close);
  return { server, client };
}

const messages = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ to: `+3161234${index}`, body: 'ü'.repeat(index % 90) }));
const linesOf = (count: number) => messages(count).map((message) => JSON.stringify(message));
const csvLines = (count: number) => ['to,body', ...messages(count).map(({ to }) => `${to},hello`)];
const text = (lines: string[]) => `${lines.join('\n')}\n`;

async function* inOddParts(content: string | Buffer): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777);
}

async function* failingAfter(count: number) {
  yield* messages(count);
  throw new Error('the cursor is gone');
}

const cut = (afterBytes: number): Fault => ({ kind: 'cut', afterBytes });

describe('messages of a source that can be read but once', () => {
  const lines = linesOf(3_000);
  it.each<[string, () => MessageSource, { format?: 'csv'; gzip?: true }]>([
    ['a generator of objects', () => messages(3_000).values(), {}],
    ['an async generator', () => Readable.from(messages(3_000)), {}],
    ['a Node stream of NDJSON', () => Readable.from(inOddParts(text(lines)), { objectMode: false }), {}],
    ['a web stream of NDJSON', () => new Blob([text(lines)]).stream(), {}],
    ['gzip', () => inOddParts(gzipSync(text(lines))), { gzip: true }],
    ['CSV', () => inOddParts(text(csvLines(3_000))), { format: 'csv' }],
  ])('come whole and once from %s, wherever the connection breaks', async (_name, source, settings) => {
    const { format = 'ndjson' } = settings;
    const faults: Fault[] = [cut(1), cut(50_000), { kind: 'lostAnswer' }];
    const { server, client } = await start({ format, faults });
    const resumed: number[] = [];
    const batch = await client.batches.send(source(), {
      route: 'r',
      ...settings,
      onResume: ({ line }) => resumed.push(line),
    });
    expect(server.lines).toEqual(format === 'csv' ? csvLines(3_000) : lines);
    expect(resumed).toHaveLength(3);
    expect(batch).toMatchObject({ state: 'delivering', counts: { accepted: 3_000 }, errors: [] });
    expect(server.closed()).toBe(true);
  });

  it('go up in requests of some MiB, of which each is resumed by itself', async () => {
    const many = Array.from({ length: 12_000 }, (_, index) => ({
      to: `+3161234${index}`,
      body: 'x'.repeat(1_000),
    }));
    const { server, client } = await start({ faults: [cut(5_000_000), cut(1), cut(1_000_000)] });
    await client.batches.send(many.values(), { route: 'r' });
    expect(server.lines).toEqual(many.map((message) => JSON.stringify(message)));
    expect(new Set(server.uploadLines).size).toBeGreaterThan(3);
  });
});

describe('an upload that ends before its end', () => {
  const again = { route: 'r', idempotencyKey: 'night-run' };

  it('tells what is durable, and goes on there under the same key', async () => {
    const { server, client } = await start({
      faults: [cut(60_000), { kind: 'refuse', status: 422, code: 'no_more' }],
    });
    const error = await client.batches
      .send(messages(2_000), again)
      .catch((thrown: unknown) => thrown as UploadError);
    expect(error).toBeInstanceOf(UploadError);
    const durable = server.lines.length;
    expect(durable).toBeGreaterThan(0);
    expect(error).toMatchObject({
      batchId: 'b1',
      nextLine: durable + 1,
      idempotencyKey: 'night-run',
      cause: { code: 'no_more' },
      message: expect.stringContaining(`durable up to line ${durable}`),
    });
    await client.batches.send(messages(2_000), again);
    expect(server.lines).toEqual(linesOf(2_000));
    expect(server.uploadLines.at(-1)).toBe(durable + 1);
  });

  it('because its source failed keeps nothing of what had not gone up', async () => {
    const { server, client } = await start();
    await expect(client.batches.send(failingAfter(500), again)).rejects.toMatchObject({
      nextLine: 1,
      cause: expect.any(SourceError),
      message: expect.stringMatching(/the cursor is gone.*durable up to line 0/),
    });
    expect(server.lines).toEqual([]);
    await client.batches.send(messages(500), again);
    expect(server.lines).toEqual(linesOf(500));
  });

  it('goes on with a file, and a file that is shorter now is told from it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-send-'));
    cleanups.push(() => rm(directory, { recursive: true }));
    const path = join(directory, 'all.ndjson');
    await writeFile(path, text(linesOf(2_000)));
    const faults: Fault[] = [cut(60_000), { kind: 'refuse', status: 422, code: 'no_more' }];
    const { server, client } = await start({ faults });
    await expect(client.batches.send(fileSource({ path }), again)).rejects.toThrow(UploadError);
    await writeFile(path, text(linesOf(3)));
    await expect(client.batches.send(fileSource({ path }), again)).rejects.toMatchObject({
      nextLine: server.lines.length + 1,
      message: expect.stringContaining('the file ends before line'),
    });
    await writeFile(path, text(linesOf(2_000)));
    await client.batches.send(fileSource({ path }), again);
    expect(server.lines).toEqual(linesOf(2_000));
  });

  it('by an abort tells what is durable, and its reason', async () => {
    const { client, server } = await start();
    const abort = new AbortController();
    const reason = new Error('enough');
    function* endless() {
      for (let sent = 0; ; sent++) {
        if (sent === 20_000) abort.abort(reason);
        yield { to: '+31612345678', body: 'x'.repeat(500) };
      }
    }
    const error = await client.batches
      .send(endless(), { route: 'r', signal: abort.signal })
      .catch((thrown: unknown) => thrown as UploadError);
    expect(error).toBeInstanceOf(UploadError);
    const [key] = server.keys;
    const nextLine = server.lines.length + 1;
    expect(error).toMatchObject({ cause: reason, batchId: 'b1', nextLine, idempotencyKey: key });
    expect(nextLine).toBeGreaterThan(1);
    expect(server.closed()).toBe(false);
  });

  it('by an abort before a batch was made ends with the bare reason', async () => {
    const { client, server } = await start();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(client.batches.send(messages(3), { route: 'r', signal })).rejects.toBe(reason);
    expect(server.keys.size).toBe(0);
  });

  it('by a server that cannot close it tells the batch and its key', async () => {
    const { client, server } = await start({ closes: false });
    const error = await client.batches.send(messages(3), { route: 'r' }).catch((thrown: unknown) => thrown);
    const [idempotencyKey] = server.keys;
    expect(error).toMatchObject({ batchId: 'b1', nextLine: 4, idempotencyKey, cause: { code: 'internal' } });
  });
});

describe('a source that cannot be read', () => {
  const sources: [string, () => MessageSource, RegExp][] = [
    ['a file that is not there', () => fileSource({ path: '/nowhere/all.ndjson' }), /ENOENT/],
    ['a directory', () => fileSource({ path: tmpdir(), format: 'ndjson' }), /EISDIR/],
    ['a path', () => 'all.csv' as unknown as MessageSource, /give fileSource/],
    ['a number', () => 7 as unknown as MessageSource, /must be iterable/],
    ['nothing', () => undefined as unknown as MessageSource, /must be iterable/],
    ['an element that is none', () => [...messages(2), null] as MessageSource, /message 3 is no object/],
    ['a generator that fails', () => failingAfter(500), /the cursor is gone/],
    ['gzip that is none', () => inOddParts('to\n'), /header/],
  ];
  it.each(sources)('makes no batch: %s', async (_name, source, message) => {
    const { server, client } = await start();
    const sending = client.batches.send(source(), { route: 'r', gzip: true });
    await expect(sending).rejects.toThrow(SourceError);
    await expect(sending).rejects.toThrow(message);
    expect(server.keys.size).toBe(0);
  });

  it('leaves what its key finds as it was', async () => {
    const { server, client } = await start();
    const settings = { route: 'r', idempotencyKey: 'once' };
    await client.batches.send(messages(5), settings);
    const gone = fileSource({ path: '/nowhere/all.ndjson' });
    expect(await client.batches.send(gone, settings)).toMatchObject({ id: 'b1', counts: { accepted: 5 } });
    expect(server.canceled()).toBe(false);
  });

  it('is let go of when no batch can be made', async () => {
    const server = await startScriptedServer((_, response) => answerProblem(response, 422, 'unknown_route'));
    const client = createClient({ url: server.url });
    cleanups.push(server.stop, client.close);
    let ended = false;
    function* endless() {
      try {
        for (;;) yield { to: '+31612345678', body: 'x'.repeat(1_000) };
      } finally {
        ended = true;
      }
    }
    await expect(client.batches.send(endless(), { route: 'r' })).rejects.toThrow(/unknown_route/);
    expect(ended).toBe(true);
  });
});

describe('a first request that is refused as a whole', () => {
  const refusal: Fault = { kind: 'refuse', status: 422, code: 'invalid_csv' };
  it('cancels the batch that was made for it', async () => {
    const { server, client } = await start({ faults: [refusal] });
    const error = await client.batches.send(messages(5), { route: 'r' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UploadError);
    expect(error).toMatchObject({
      nextLine: 1,
      idempotencyKey: undefined,
      cause: { code: 'invalid_csv' },
      message: expect.stringContaining('nothing was taken, and batch b1'),
    });
    expect(server.canceled()).toBe(true);
  });

  it.each<[string, Fault[], object]>([
    ['whose key somebody chose', [refusal], { idempotencyKey: 'mine' }],
    ['that has lines', [cut(50_000), refusal], {}],
    ['that a quota holds up', [{ ...refusal, status: 429, code: 'quota_exceeded' }], {}],
    ['that another upload has', [{ ...refusal, status: 409, code: 'upload_superseded' }], {}],
  ])('leaves a batch open %s', async (_name, faults, settings) => {
    const { server, client } = await start({ faults });
    const sending = client.batches.send(messages(2_000), { route: 'r', ...settings });
    await expect(sending).rejects.toThrow(/and open: send the same again with idempotencyKey/);
    expect(server.canceled()).toBe(false);
  });
});

it('a batch that was sent is not sent again', async () => {
  const { server, client } = await start();
  const settings = { route: 'r', idempotencyKey: 'once' };
  await client.batches.send(messages(5), settings);
  expect(await client.batches.send(messages(5), settings)).toMatchObject({
    id: 'b1',
    counts: { accepted: 5 },
  });
  expect(server.uploadLines).toEqual([1]);
});
