import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiError, type Client, createClient, fileSource, SourceError } from '../../src/client/client.ts';
import { type Fault, type LineServer, startLineServer } from '../support/line-server.ts';

let directory: string;
const servers: LineServer[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-upload-'));
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) await server.stop();
});

async function start(options: Parameters<typeof startLineServer>[0]) {
  const server = await startLineServer(options);
  servers.push(server);
  const client = createClient({ url: server.url, key: 'k' });
  clients.push(client);
  return { server, client };
}

async function fileOf(name: string, content: string | Buffer): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

function ndjson(count: number): string[] {
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify({ to: `+3161234${index}`, body: 'ü'.repeat(index % 90) }),
  );
}

interface Sent {
  lines: string[];
  format?: 'ndjson' | 'csv';
  gzip?: boolean;
  faults?: Fault[];
  ending?: string;
  close?: boolean;
}

async function send({
  lines,
  format = 'ndjson',
  gzip = false,
  faults = [],
  ending = '\n',
  close = false,
}: Sent) {
  const text = lines.join('\n') + ending;
  const path = await fileOf(`file.${format}${gzip ? '.gz' : ''}`, gzip ? gzipSync(text) : text);
  const { server, client } = await start({ format, faults });
  const resumedAt: number[] = [];
  const answer = await client.batches.upload({
    batchId: 'b1',
    source: fileSource({ path, format, gzip }),
    line: 1,
    close,
    onResume: ({ line }) => resumedAt.push(line),
  });
  return { server, answer, resumedAt };
}

describe('an upload that breaks', () => {
  it('loses and doubles no line, wherever it is cut', async () => {
    const lines = ndjson(2_000);
    const bytes = Buffer.byteLength(lines.join('\n'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: bytes }), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        async (cuts, ends) => {
          const faults = cuts.map((afterBytes): Fault => ({ kind: 'cut', afterBytes }));
          const { server } = await send({ lines, faults, ending: ends ? '\n' : '' });
          expect(server.lines).toEqual(lines);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('sends the header of a CSV again and skips physical lines, also inside quotes', async () => {
    const lines = ['to,"bo', 'dy",ref', '1,"one', 'and a half",a', '2,two,b', '3,three,c'];
    const cut = Buffer.byteLength(`${lines.slice(0, 4).join('\n')}\n2,tw`);
    const text = `${lines.join('\n')}\n`;
    const path = await fileOf('quoted.csv', text);
    const bodies: string[] = [];
    for await (const part of fileSource({ path, format: 'csv', gzip: false }).open(5))
      bodies.push(String(part));
    expect(bodies.join('')).toBe(`to,"bo\ndy",ref\n2,two,b\n3,three,c\n`);
    expect(text.slice(cut)).toBe('o,b\n3,three,c\n');
  });

  it('resumes CSV from the line that the server names', async () => {
    const lines = ['to,body', ...Array.from({ length: 500 }, (_, index) => `+3161234${index},hello`)];
    const { server, resumedAt } = await send({
      lines,
      format: 'csv',
      faults: [{ kind: 'cut', afterBytes: 3_000 }],
    });
    expect(server.lines).toEqual(lines);
    expect(resumedAt).toEqual([1]);
    expect(server.uploadLines[1]).toBeGreaterThan(2);
  });

  it('resumes a gzip file by unpacking what is left', async () => {
    const lines = ndjson(3_000);
    const path = await fileOf('half.ndjson.gz', gzipSync(`${lines.join('\n')}\n`));
    const { server, client } = await start({});
    server.lines.push(...lines.slice(0, 1_234));
    await client.batches.upload({
      batchId: 'b1',
      source: fileSource({ path, format: 'ndjson', gzip: true }),
      line: 1_235,
    });
    expect(server.lines).toEqual(lines);
  });

  it('takes the line of a 409 and of a batch that is further than it thought', async () => {
    const lines = ndjson(20);
    const { server } = await send({ lines, faults: [{ kind: 'mismatch' }] });
    expect(server.lines).toEqual(lines);
  });

  it('finds out that all was done when only the answer was lost', async () => {
    const lines = ndjson(20);
    const { server, answer } = await send({ lines, faults: [{ kind: 'lostAnswer' }], close: true });
    expect(server.lines).toEqual(lines);
    expect(answer).toMatchObject({ accepted: 20, nextLine: 21 });
    const open = await send({ lines, faults: [{ kind: 'lostAnswer' }] });
    expect(open.server.lines).toEqual(lines);
    expect(open.answer.nextLine).toBe(21);
  });

  it('waits as long as a 503 asks it to and goes on', async () => {
    const { server } = await send({
      lines: ndjson(5),
      faults: [{ kind: 'refuse', status: 503, code: 'unavailable', retryAfter: 0 }],
    });
    expect(server.lines).toHaveLength(5);
  });
});

describe('an upload that cannot succeed', () => {
  it.each([
    [422, 'unknown_column'],
    [401, 'unauthorized'],
    [500, 'internal'],
  ])('ends with the problem of a %d, without a second try', async (status, code) => {
    const faults: Fault[] = [{ kind: 'refuse', status, code }];
    const error = await send({ lines: ndjson(200_000), faults }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).problem.code).toBe(code);
    expect(servers[0]?.uploadLines).toHaveLength(1);
  });

  it('does not fight an upload that has taken over', async () => {
    const faults: Fault[] = [{ kind: 'refuse', status: 409, code: 'upload_superseded' }];
    await expect(send({ lines: ndjson(3), faults })).rejects.toMatchObject({
      problem: { code: 'upload_superseded' },
    });
    expect(servers[0]?.uploadLines).toEqual([1]);
  });

  it('says that the file is shorter than what the server has', async () => {
    const path = await fileOf('short.ndjson', ndjson(3).join('\n'));
    const { server, client } = await start({});
    server.lines.push(...ndjson(9));
    const source = fileSource({ path, format: 'ndjson', gzip: false });
    await expect(client.batches.upload({ batchId: 'b1', source, line: 10 })).rejects.toThrow(SourceError);
    expect(server.lines).toHaveLength(9);
  });

  it('says that the file cannot be read', async () => {
    const { server, client } = await start({});
    const source = fileSource({ path: join(directory, 'none'), format: 'ndjson', gzip: false });
    await expect(client.batches.upload({ batchId: 'b1', source, line: 1 })).rejects.toThrow(/ENOENT/);
    expect(server.lines).toEqual([]);
  });

  it('gives up when nothing moves for as long as was allowed', async () => {
    const faults = Array.from({ length: 100 }, (): Fault => ({ kind: 'cut', afterBytes: 1 }));
    const path = await fileOf('stuck.ndjson', ndjson(10).join('\n'));
    const { client } = await start({ faults });
    const source = fileSource({ path, format: 'ndjson', gzip: false });
    await expect(
      client.batches.upload({ batchId: 'b1', source, line: 1, noProgressMaxMs: 300 }),
    ).rejects.toThrow(/broke/);
  });

  it('ends at once when it is aborted, with the reason', async () => {
    const { client, server } = await start({});
    const abort = new AbortController();
    const path = await fileOf('abort.ndjson', `${ndjson(200_000).join('\n')}\n`);
    const source = fileSource({ path, format: 'ndjson', gzip: false });
    const sending = client.batches.upload({ batchId: 'b1', source, line: 1, signal: abort.signal });
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(sending).rejects.toBe(reason);
    expect(server.closed()).toBe(false);
  });
});
