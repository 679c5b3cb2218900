import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiError, type Client, ConnectionError, createClient } from '../../src/client/client.ts';
import {
  answerJson,
  answerProblem,
  type Handler,
  readBody,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The n-th request is handled by the n-th step, later ones by the last. */
async function start(...steps: Handler[]): Promise<{ server: ScriptedServer; client: Client }> {
  let step = 0;
  const server = await startScriptedServer((request, response) =>
    steps[Math.min(step++, steps.length - 1)]!(request, response),
  );
  const client = createClient({ url: server.url, key: 'secret', retryAfterMaxMs: 2_000 });
  cleanups.push(server.stop, client.close);
  return { server, client };
}

const cut = (request: IncomingMessage) => void request.socket.resetAndDestroy();

describe('a call', () => {
  it('carries the key and takes the problem apart', async () => {
    const seen: unknown[] = [];
    const { client } = await start((request, response) => {
      seen.push(request.headers.authorization);
      answerProblem(response, 422, 'validation_failed', {
        errors: [{ pointer: '/to', code: 'invalid_to', detail: 'no' }],
      });
    });
    const error = await client.messages.get('x').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).problem).toMatchObject({
      status: 422,
      code: 'validation_failed',
      errors: [{ pointer: '/to' }],
    });
    expect(seen).toEqual(['Bearer secret']);
  });

  it('is ended by its signal, or by that of the client', async () => {
    const { server, client } = await start(
      (_, response) => void response.writeHead(200).write('to\n+31612345678\n'),
    );
    const reason = new Error('enough');
    const abort = new AbortController();
    const own = client.templates.preview('welcome', { signal: abort.signal });
    const ended = createClient({ url: server.url, signal: abort.signal });
    cleanups.push(ended.close);
    const to = new PassThrough().once('data', () => abort.abort(reason));
    const csv = ended.batches.exportCsv({ id: 'b1', to });
    await Promise.all([expect(own).rejects.toBe(reason), expect(csv).rejects.toBe(reason)]);
  });

  it('shares its signal with many others at once without a warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    cleanups.push(() => process.off('warning', note));
    const { client } = await start((_, response) => answerJson(response, 200, {}));
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => client.messages.get('x', signal)));
    // A warning comes in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings.map(({ name }) => name)).toEqual([]);
  });

  it('carries the place of what the client wrote before, and asks the primary after a write without an answer', async () => {
    const carried: unknown[] = [];
    const places = ['home:1:0/20', 'home:1:0/10'];
    let isBroken = false;
    const { client } = await start(async (request, response) => {
      if (request.method === 'GET') {
        carried.push(request.headers['millrace-consistency']);
        return answerJson(response, 200, {});
      }
      if (isBroken) return cut(request);
      await readBody(request);
      answerJson(response, 202, { messages: [], errors: [] }, { 'millrace-consistency': places.shift()! });
    });
    const send = () => client.messages.send({ to: '+31612345678' }, { idempotencyKey: false });
    await client.messages.get('x');
    await send();
    await send();
    await client.messages.get('x');
    isBroken = true;
    await expect(send()).rejects.toBeInstanceOf(ConnectionError);
    await client.messages.get('x');
    expect(carried).toEqual([undefined, 'home:1:0/20', 'unknown']);
    [isBroken, places[0]] = [false, 'home:1:0/30'];
    await client.call({ method: 'POST', path: '/v1/anything', body: {} });
    await client.call({ path: '/v1/anything' });
    for await (const _ of client.batches.rejections('x'));
    expect(carried.slice(3)).toEqual(['home:1:0/30', 'home:1:0/30']);
  });

  it('is tried again after a broken connection, a 429 and a 503, under the same idempotency key', async () => {
    const keys: unknown[] = [];
    const step =
      (handle: Handler): Handler =>
      (request, response) => {
        keys.push(request.headers['idempotency-key']);
        return handle(request, response);
      };
    const refuse = (status: number, code: string) =>
      step((_, response) => answerProblem(response, status, code, { retryAfter: 0 }));
    const { client } = await start(
      step(cut),
      refuse(429, 'rate_limited'),
      refuse(503, 'unavailable'),
      refuse(409, 'idempotency_in_progress'),
      step((_, response) => answerJson(response, 202, { messages: [], errors: [] })),
    );
    await client.messages.send({ to: '+31612345678' });
    expect(keys).toHaveLength(5);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    [
      'PUT',
      (client: Client) => client.routes.set('r', { connector: 'http', url: 'https://provider.example' }),
    ],
    ['PATCH', (client: Client) => client.accounts.set('1', { weight: 2 })],
    ['DELETE', (client: Client) => client.routes.delete('r')],
  ] as const)('by %s carries a key too: its repetition finds the first answer', async (method, write) => {
    const keys: unknown[] = [];
    const { server, client } = await start(
      (request) => {
        keys.push(request.headers['idempotency-key']);
        cut(request);
      },
      (request, response) => {
        keys.push(request.headers['idempotency-key']);
        answerProblem(response, 502, 'bad_gateway');
      },
      (request, response) => {
        keys.push(request.headers['idempotency-key']);
        response.writeHead(204).end();
      },
    );
    await write(client);
    expect(server.requests.map((line) => line.split(' ')[0])).toEqual([method, method, method]);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(keys).size).toBe(1);
  });

  it('tells the number of the request, for whoever reads the log of the server', async () => {
    const { client } = await start((_, response) =>
      answerJson(response, 404, { code: 'not_found', detail: 'no' }, { 'request-id': 'abc-1' }),
    );
    await expect(client.batches.get('b')).rejects.toMatchObject({
      status: 404,
      code: 'not_found',
      requestId: 'abc-1',
    });
  });

  it('is not tried again when the server says no, or asks for more patience than allowed', async () => {
    const refused = await start((_, response) => answerProblem(response, 409, 'batch_closed'));
    await expect(refused.client.batches.close('b')).rejects.toThrow(ApiError);
    expect(refused.server.requests).toHaveLength(1);
    const busy = await start((_, response) =>
      answerProblem(response, 503, 'unavailable', { retryAfter: 3_600 }),
    );
    await expect(busy.client.batches.get('b')).rejects.toMatchObject({ retryAfterMs: 3_600_000 });
    expect(busy.server.requests).toHaveLength(1);
  });

  it('without an idempotency key is tried again only where it certainly was not done', async () => {
    const keyless = (client: Client) =>
      client.messages.send({ to: '+31612345678' }, { idempotencyKey: false });
    const broken = await start(cut);
    await expect(keyless(broken.client)).rejects.toMatchObject({ kind: 'broken' });
    const unavailable = await start((_, response) =>
      answerProblem(response, 503, 'unavailable', { retryAfter: 0 }),
    );
    await expect(keyless(unavailable.client)).rejects.toThrow(ApiError);
    expect([broken.server.requests.length, unavailable.server.requests.length]).toEqual([1, 1]);
    const limited = await start(
      (_, response) => answerProblem(response, 429, 'rate_limited', { retryAfter: 0 }),
      (request, response) =>
        answerJson(response, 202, { messages: [], errors: [request.headers['idempotency-key'] ?? 'none'] }),
    );
    expect(await keyless(limited.client)).toMatchObject({ errors: ['none'] });
  });

  it('gives up after its tries', async () => {
    const { server, client } = await start(cut);
    await expect(client.batches.get('b')).rejects.toMatchObject({ kind: 'broken' });
    expect(server.requests).toHaveLength(5);
  });

  it('tells an unreachable server and one that is not Millrace from a broken connection', async () => {
    const { server, client } = await start((_, response) => void response.end('<html>'));
    await expect(client.batches.get('b')).rejects.toMatchObject({ kind: 'protocol' });
    await server.stop();
    const alone = createClient({ url: server.url, retryUnreachable: false });
    await expect(alone.batches.get('b')).rejects.toMatchObject({ kind: 'unreachable' });
    await server.stop().catch(() => {});
    cleanups.splice(0);
  });

  it('counts a silent connection as broken', async () => {
    const server = await startScriptedServer(() => {});
    cleanups.push(server.stop);
    const client = createClient({ url: server.url, silenceMs: 100, attemptsMax: 1 });
    await expect(client.batches.get('b')).rejects.toThrow(ConnectionError);
  });

  it('says whether a write had been done before', async () => {
    const { client } = await start(async (request, response) => {
      await readBody(request);
      answerJson(response, 201, { id: 'b' }, { 'idempotent-replayed': 'true' });
    });
    const call = {
      method: 'POST',
      path: '/v1/batches',
      body: { route: 'r' },
      idempotencyKey: 'mine',
    } as const;
    expect(await client.call(call)).toMatchObject({
      replayed: true,
      value: { id: 'b' },
    });
  });
});

it('walks the pages of a list to their end', async () => {
  const { server, client } = await start((request, response) => {
    const after = Number(new URL(request.url!, 'http://x').searchParams.get('after') ?? 0);
    answerJson(response, 200, {
      data: [{ id: after + 1 }, { id: after + 2 }],
      next: after < 4 ? String(after + 2) : null,
    });
  });
  const ids: unknown[] = [];
  for await (const { id } of client.batches.all({ limit: 2 })) ids.push(id);
  expect(ids).toEqual([1, 2, 3, 4, 5, 6]);
  expect(server.requests[1]).toBe('GET /v1/batches?limit=2&after=2');
});

describe('an export', () => {
  const all = Array.from(
    { length: 1_000 },
    (_, index) => `${JSON.stringify({ id: `m${index}`, to: 'ü'.repeat(index % 50) })}\n`,
  );

  /** Streams the lines behind `after`; `spoil` may cut them or change the end. */
  function exporter(
    spoil: (text: string, trailer: string) => { text: string | Buffer; cut?: boolean },
  ): Handler {
    return (request: IncomingMessage, response: ServerResponse) => {
      const after = new URL(request.url!, 'http://x').searchParams.get('after');
      const lines = all.slice(after === null ? 0 : Number(after.slice(1)) + 1).join('');
      const sha256 = createHash('sha256').update(lines).digest('hex');
      const trailer = `${JSON.stringify({ trailer: { count: lines.split('\n').length - 1, sha256 } })}\n`;
      const { text, cut: cutOff } = spoil(lines, trailer);
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(text, () => (cutOff ? response.socket?.destroy() : response.end()));
    };
  }
  const good = exporter((text, trailer) => ({ text: text + trailer }));

  async function run(...steps: Handler[]) {
    const { server, client } = await start(...steps);
    const written: Buffer[] = [];
    const result = await client.batches.exportLines({
      batchId: 'b',
      write: (lines) => void written.push(Buffer.from(lines)),
    });
    return { server, result, text: Buffer.concat(written).toString('utf8') };
  }

  it('is checked against its trailer, which is not a part of it', async () => {
    const { text, result } = await run(good);
    expect(text).toBe(all.join(''));
    expect(result).toEqual({ count: 1_000, resumed: 0 });
  });

  it.each([0, 1, 40, 777, 20_000])(
    'that is cut after %d bytes goes on behind its last whole line',
    async (bytes) => {
      const broken = exporter((text) => ({
        text: Buffer.from(text).subarray(0, bytes),
        cut: true,
      }));
      const { text, result } = await run(broken, good);
      expect(text).toBe(all.join(''));
      expect(result).toEqual({ count: 1_000, resumed: 1 });
    },
  );

  it('as messages is the same, cut or not, and its consumer may leave early', async () => {
    const broken = exporter((text) => ({ text: Buffer.from(text).subarray(0, 20_000), cut: true }));
    const { client } = await start(broken, good);
    const ids: string[] = [];
    for await (const { id } of client.batches.export('b')) ids.push(id);
    expect(ids).toEqual(all.map((_, index) => `m${index}`));
    for await (const { id } of client.batches.export('b')) {
      expect(id).toBe('m0');
      break;
    }
  });

  it('as messages ends in an error where it does not match its trailer', async () => {
    const { client } = await start(
      exporter((text, trailer) => ({ text: text.replace('m7"', 'm8"') + trailer })),
    );
    const reading = async () => {
      for await (const _ of client.batches.export('b'));
    };
    await expect(reading()).rejects.toMatchObject({ kind: 'protocol' });
  });

  it('whose taker fails ends there', async () => {
    const { server, client } = await start(good);
    const write = () => Promise.reject(new Error('disk full'));
    await expect(client.batches.exportLines({ batchId: 'b', write })).rejects.toThrow('disk full');
    expect(server.requests).toHaveLength(1);
  });

  it('that ends well but for its trailer counts as cut', async () => {
    const { text } = await run(
      exporter((lines) => ({ text: lines })),
      good,
    );
    expect(text).toBe(all.join(''));
  });

  it('that ends in an error is taken up again', async () => {
    const failing = exporter((text) => ({
      text: `${text.slice(0, text.indexOf('\n') + 1)}${JSON.stringify({ error: { code: 'unavailable' } })}\n`,
    }));
    const { text } = await run(failing, good);
    expect(text).toBe(all.join(''));
  });

  it('whose trailer does not match is refused', async () => {
    const wrong = exporter((text, trailer) => ({ text: text + trailer.replace('1000', '999') }));
    await expect(run(wrong)).rejects.toThrow(/does not match its trailer/);
  });

  it('of nothing is nothing', async () => {
    const empty = exporter(() => ({
      text: `${JSON.stringify({ trailer: { count: 0, sha256: createHash('sha256').digest('hex') } })}\n`,
    }));
    expect((await run(empty)).result.count).toBe(0);
  });
});

describe('the list of rejected lines', () => {
  const rejected = Array.from({ length: 300 }, (_, index) => ({ line: index + 1, code: 'x', detail: 'no' }));
  const text = rejected.map((line) => `${JSON.stringify(line)}\n`).join('');

  async function read(client: Client): Promise<unknown[]> {
    const found: unknown[] = [];
    for await (const line of client.batches.rejections('b')) found.push(line);
    return found;
  }

  it('that is cut, or ends in an error, is read on', async () => {
    const { client } = await start(
      (_, response) => {
        response.writeHead(200);
        response.write(text.slice(0, 1_000), () => response.socket?.destroy());
      },
      (_, response) =>
        void response.end(
          `${text.slice(0, text.indexOf('\n', 3_600) + 1)}{"error":{"code":"unavailable"}}\n`,
        ),
      (_, response) => void response.end(text),
    );
    expect(await read(client)).toEqual(rejected);
  });

  it('that is something else is told', async () => {
    const { client } = await start((_, response) => void response.end('<html>\n'));
    await expect(read(client)).rejects.toMatchObject({ kind: 'protocol' });
  });
});

describe('the change feed', () => {
  /** Pages of two events of `total`; a place is the number of events before it. */
  function feed(total: number, ...faults: Handler[]): Handler {
    return (request, response) => {
      const fault = faults.shift();
      if (fault) return fault(request, response);
      const after = Number(new URL(request.url!, 'http://x').searchParams.get('after') ?? 0);
      const data = [after + 1, after + 2].filter((id) => id <= total).map((id) => ({ id: String(id) }));
      answerJson(response, 200, { data, next: String(after + data.length) });
    };
  }

  it('goes on from its cursor without missing an event, wherever it was left', async () => {
    const { client } = await start(feed(5));
    const seen: string[] = [];
    const cursors: unknown[] = [];
    for (let after: string | undefined; ; ) {
      const events = client.events({ follow: false, ...(after !== undefined && { after }) });
      let left = false;
      for await (const { id } of events) {
        seen.push(id);
        cursors.push(events.cursor);
        left = true;
        break;
      }
      if (!left) break;
      // Left within a page, the page comes again: this reader takes it whole the second time.
      for await (const { data, next } of client.events({ ...(after && { after }), follow: false }).pages()) {
        seen.push(...data.map(({ id }) => id));
        after = next;
        break;
      }
    }
    expect([...new Set(seen)]).toEqual(['1', '2', '3', '4', '5']);
    expect(cursors).toEqual([undefined, '2', '5']);
  });

  it('waits for what is to come, through an outage, and ends by its signal', async () => {
    const abort = new AbortController();
    const retries: string[] = [];
    const unavailable: Handler = (_, response) =>
      answerProblem(response, 503, 'unavailable', { retryAfter: 0 });
    const server = await startScriptedServer(feed(3, cut, cut, cut, unavailable));
    const client = createClient({ url: server.url, attemptsMax: 1 });
    cleanups.push(server.stop, client.close);
    const seen: string[] = [];
    const reading = async () => {
      const events = client.events({
        signal: abort.signal,
        pollMs: 1,
        onRetry: ({ error }) => retries.push(error.name),
      });
      for await (const { id } of events) {
        seen.push(id);
        if (id === '3') setImmediate(() => abort.abort(new Error('stopped')));
      }
    };
    await expect(reading()).rejects.toThrow('stopped');
    expect(seen).toEqual(['1', '2', '3']);
    expect(retries).toEqual(['ConnectionError', 'ConnectionError', 'ConnectionError', 'ApiError']);
  });

  it('tells that a cursor is outdated', async () => {
    const { client } = await start((_, response) => answerProblem(response, 410, 'cursor_outdated'));
    const events = client.events({ after: '7' });
    await expect(events[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'cursor_outdated' });
  });
});
