import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SetDigest } from '../lib/set-digest.ts';
import type { SinkOptions } from './sink-options.ts';
import type { Sink } from './start-sink.ts';
import { startSink } from './start-sink.ts';

const sinks: Sink[] = [];

afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.stop();
});

async function start(options: Partial<SinkOptions> = {}): Promise<Sink> {
  const sink = await startSink({ port: 0, ...options });
  sinks.push(sink);
  return sink;
}

const idAt = (n: number) => `0190b3e8-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

function post(sink: Sink, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const signal = AbortSignal.timeout(5_000);
  return fetch(`${sink.url}/send`, { method: 'POST', headers, body: text, signal });
}

async function read<Value>(sink: Sink, path: string): Promise<Value> {
  return (await (await fetch(`${sink.url}${path}`)).json()) as Value;
}

/** Posts `count` single messages one after another; what became of each. */
async function outcomes(sink: Sink, count: number): Promise<string> {
  let seen = '';
  for (let n = 0; n < count; n++) {
    seen += await post(sink, { id: idAt(n) }).then(
      (answer) => answer.text().then(() => (answer.ok ? '.' : 'f')),
      () => 'r',
    );
  }
  return seen;
}

describe('the simulated provider', () => {
  it('counts what it receives, singly and in batches, each id once', async () => {
    const sink = await start();
    expect(await (await post(sink, { id: idAt(1), to: '+316' })).json()).toEqual({ id: `sink-${idAt(1)}` });
    const batch = { messages: [{ id: idAt(2) }, { id: idAt(1) }, { id: 'mine "1"' }] };
    expect(await (await post(sink, batch)).json()).toEqual({
      results: batch.messages.map(({ id }) => ({ id, status: 'sent' })),
    });
    await post(sink, {}, { 'idempotency-key': idAt(3) });
    await post(sink, 'null');
    const digest = new SetDigest();
    for (const n of [3, 2, 1]) digest.add(idAt(n));
    expect(await read(sink, '/ledger')).toMatchObject({
      received: 6,
      distinct: 4,
      duplicates: 1,
      withoutId: 1,
      requests: 4,
      otherIds: 1,
      exact: true,
      idsDigest: digest.toHex(),
    });
  });

  it('refuses what is no JSON and counts none of it', async () => {
    const sink = await start();
    expect((await post(sink, '{"id":')).status).toBe(400);
    expect(sink.ledger()).toMatchObject({ received: 0, refused: { invalid: 1 } });
  });

  it('forgets everything at a reset', async () => {
    const sink = await start({ arrivals: 10 });
    await post(sink, { id: idAt(1) });
    await fetch(`${sink.url}/reset`, { method: 'POST' });
    expect(sink.ledger()).toMatchObject({ received: 0, distinct: 0, requests: 0, idsDigest: '0'.repeat(32) });
    expect(await read(sink, '/arrivals')).toEqual({ data: [], next: 0, missed: 0 });
  });

  it('lists the last arrivals of single messages, in pages that neither skip nor repeat', async () => {
    const sink = await start({ arrivals: 4 });
    const before = Date.now();
    for (let n = 1; n <= 3; n++) await post(sink, { id: idAt(n) });
    await post(sink, { messages: [{ id: idAt(99) }] });
    type Page = { data: { id: string; at: number }[]; next: number; missed: number };
    const first = await read<Page>(sink, '/arrivals?limit=2');
    expect(first.data.map(({ id }) => id)).toEqual([idAt(1), idAt(2)]);
    for (const { at } of first.data) expect(Math.abs(at - before)).toBeLessThan(10_000);
    const second = await read<Page>(sink, `/arrivals?after=${first.next}`);
    expect(second).toMatchObject({ data: [{ id: idAt(3) }], next: 3, missed: 0 });
    expect(await read(sink, '/arrivals?after=3')).toEqual({ data: [], next: 3, missed: 0 });
    for (let n = 4; n <= 9; n++) await post(sink, { id: idAt(n) });
    expect(await read<Page>(sink, '/arrivals?after=3')).toMatchObject({ next: 9, missed: 2 });
  });

  it('lists only messages whose ref begins as it is told, and counts all', async () => {
    const sink = await start({ arrivals: 10, arrivalsRefPrefix: 'reset-' });
    await post(sink, { id: idAt(1), ref: 'reset-1' });
    await post(sink, { id: idAt(2), ref: 'flood-reset-1' });
    await post(sink, { id: idAt(3) });
    await post(sink, { id: idAt(4), ref: 'reset-2' });
    const { data } = await read<{ data: { id: string }[] }>(sink, '/arrivals');
    expect(data.map(({ id }) => id)).toEqual([idAt(1), idAt(4)]);
    expect(sink.ledger()).toMatchObject({ received: 4, distinct: 4 });
  });

  it('refuses the share it is told to before it counts, with the status it is told', async () => {
    const sink = await start({ failRate: 0.5, failStatus: 500 });
    const seen = await outcomes(sink, 60);
    const failed = seen.split('f').length - 1;
    expect(failed).toBeGreaterThan(10);
    expect(failed).toBeLessThan(50);
    expect(sink.ledger()).toMatchObject({ received: 60 - failed, refused: { failed } });
    expect((await post(await start({ failRate: 1, failStatus: 500 }), {})).status).toBe(500);
  });

  it('meets the same seed with the same faults, and another with others', async () => {
    const faults = { failRate: 0.3, resetRate: 0.2 };
    const [a, b, c] = await Promise.all([
      start({ ...faults, seed: 7 }).then((sink) => outcomes(sink, 40)),
      start({ ...faults, seed: 7 }).then((sink) => outcomes(sink, 40)),
      start({ ...faults, seed: 8 }).then((sink) => outcomes(sink, 40)),
    ]);
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });

  it('counts the messages whose answer it loses', async () => {
    const sink = await start({ resetRate: 1 });
    await expect(post(sink, { id: idAt(1) })).rejects.toThrow();
    expect(sink.ledger()).toMatchObject({ received: 1, unanswered: { reset: 1 } });
  });

  it('counts the messages it never answers, and stops all the same', async () => {
    const sink = await start({ hangRate: 1 });
    const ended = post(sink, { id: idAt(1) }).catch(() => 'cut');
    await expect.poll(() => sink.ledger().unanswered.hung).toBe(1);
    await sink.stop();
    expect(await ended).toBe('cut');
    expect(sink.ledger().received).toBe(1);
  });

  it('asks for a slower pace above its rate limit', async () => {
    const sink = await start({ rateLimit: 0.05 });
    expect((await post(sink, { messages: [{ id: idAt(1) }, { id: idAt(2) }] })).status).toBe(200);
    const refused = await post(sink, { id: idAt(3) });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(sink.ledger()).toMatchObject({ received: 2, refused: { rateLimited: 1 } });
  });

  it('takes many requests of one connection that come in one packet', async () => {
    const sink = await start();
    const socket = connect(sink.port, '127.0.0.1');
    const request = (n: number) => {
      const body = JSON.stringify({ id: idAt(n), body: 'é' });
      return `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    };
    socket.write(Array.from({ length: 20 }, (_, n) => request(n)).join(''));
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
      if (answers.split('sink-').length === 21) socket.destroy();
    });
    await once(socket, 'close');
    expect(sink.ledger()).toMatchObject({ received: 20, distinct: 20, requests: 20 });
  });

  it.each([
    { failRate: 2 },
    { failRate: 0.6, hangRate: 0.6 },
    { latencyMs: -1 },
    { seed: 1.5 },
    { host: '' },
  ])('does not start with %j', async (options) => {
    await expect(startSink({ port: 0, ...options })).rejects.toThrow(RangeError);
  });

  it('says so when its port is taken', async () => {
    const { port } = await start();
    await expect(startSink({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
