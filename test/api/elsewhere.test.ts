import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { until } from '../delivery/mill.ts';
import { answerJson, readBody } from '../support/scripted-server.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';
import { answerTo, type FarSite, line, lines, message, startFarSite } from './far-site.ts';
import { startApi, type TestApi } from './start-api.ts';

let site: FarSite;
let home: TestApi;
let way: FarSite['way'];
let call: FarSite['call'];
let open: FarSite['open'];
let startFar: FarSite['startFar'];
let startFarOf: FarSite['startFarOf'];
/** Far from the primary, by way of something that can be cut. */
let far: TestApi;

beforeAll(async () => {
  site = await startFarSite();
  ({ home, way, call, open, startFar, startFarOf } = site);
  far = await startFar({ writeForwardUrl: way.url });
});

afterAll(async () => {
  killProcesses();
  await site.stop();
});

/** Made for tests, and trusted by nobody unasked. */
function certificate(name: string): string {
  return fileURLToPath(new URL(`tls/${name}`, import.meta.url));
}

/** Those of which something is durable, and that are not closed. */
async function openBatches(): Promise<string[]> {
  const { data } = (await call(far, 'GET', '/v1/batches')).json;
  return data
    .filter(
      (batch: { closedAt: unknown; counts: { accepted: number } }) =>
        !batch.closedAt && batch.counts.accepted >= 1_000,
    )
    .map(({ id }: { id: string }) => id);
}

test('a write is made by the server it is forwarded to, a read here', async () => {
  const made = await call(far, 'POST', '/v1/messages', { body: message });
  expect(made).toMatchObject({ status: 202, json: { messages: [{ state: 'queued' }] } });
  expect(made.headers.get('millrace-consistency')).toBe('unknown');
  const { id } = made.json.messages[0];
  expect(await call(far, 'GET', `/v1/messages/${id}`)).toMatchObject({ status: 200, json: { id } });
  const figures = (await call(far, 'GET', '/metrics')).text;
  expect(figures).toMatch(/^millrace_writes_elsewhere_total\{way="forward"\} [1-9]/m);
  const accepted = /^millrace_messages_accepted_total\{route="sms",priority="interactive"\} 1$/m;
  expect(figures).not.toMatch(accepted);
  expect((await call(home, 'GET', '/metrics')).text).toMatch(accepted);
});

test('a key that was made through a far server works there when its answer arrives', async () => {
  const account = await call(far, 'POST', '/v1/accounts', { body: { name: 'far' } });
  const body = { accountId: account.json.id, scopes: ['read'] };
  const { json } = await call(far, 'POST', '/v1/keys', { body });
  expect(await far.call('GET', '/v1/batches', { key: json.key })).toMatchObject({ status: 200 });
});

test('what nobody is allowed goes nowhere', async () => {
  const { target, api } = await startFarOf((_request, response) => answerJson(response, 200, {}));
  expect(await api.call('POST', '/v1/messages', { key: null, body: message })).toMatchObject({ status: 401 });
  expect(await api.call('POST', '/v1/messages', { key: 'guessed', body: message })).toMatchObject({
    status: 401,
  });
  const reader = (await home.makeAccount('reader', ['read'])).key;
  await until(async () => (await api.call('GET', '/v1/batches', { key: reader })).status === 200);
  expect(await api.call('POST', '/v1/messages', { key: reader, body: message })).toMatchObject({
    status: 403,
  });
  expect(await call(api, 'POST', '/v1/nothing')).toMatchObject({ status: 404 });
  expect(target.requests).toEqual([]);
});

test('headers are kept both ways, but for those of one connection', async () => {
  let came: IncomingMessage | undefined;
  const { api } = await startFarOf((request, response) => {
    came = request;
    answerJson(
      response,
      429,
      { said: 'later' },
      {
        'retry-after': '7',
        'millrace-consistency': 'home:1:0/10',
        'x-private': 'of this connection',
        connection: 'x-private, keep-alive',
      },
    );
  });
  const sent = open(api, '/v1/batches?route=sms&close=true', {
    'idempotency-key': 'k',
    'upload-line': '5',
    'millrace-account': '1',
    via: '1.0 balancer',
    te: 'trailers',
    connection: 'close, x-mine, authorization, millrace-account, idempotency-key',
    'x-mine': 'of this connection',
  });
  sent.end(line(1));
  const { response, text } = await answerTo(sent);
  expect(response.statusCode).toBe(429);
  expect(JSON.parse(text)).toEqual({ said: 'later' });
  expect(response.headers).toMatchObject({ 'retry-after': '7', 'millrace-consistency': 'home:1:0/10' });
  expect(response.headers).not.toHaveProperty('x-private');
  expect(came!.url).toBe('/v1/batches?route=sms&close=true');
  expect(came!.headers).toMatchObject({
    authorization: `Bearer ${home.adminKey}`,
    'content-type': 'application/x-ndjson',
    'idempotency-key': 'k',
    'upload-line': '5',
    'millrace-account': '1',
    via: '1.0 balancer, 1.1 millrace',
  });
  expect(came!.headers).not.toHaveProperty('te');
  expect(came!.headers).not.toHaveProperty('x-mine');
});

test('a request without a body says so to the far end, and names no other host there', async () => {
  const came: IncomingMessage[] = [];
  const { api } = await startFarOf((request, response) => {
    came.push(request);
    answerJson(response, 200, {});
  });
  const { hostname, port } = new URL(api.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(
    `POST http://other.example/v1/batches/1/close HTTP/1.1\r\nHost: other.example\r\nAuthorization: Bearer ${home.adminKey}\r\nConnection: close\r\n\r\n`,
  );
  expect(await textOf(socket)).toMatch(/^HTTP\/1.1 200 /);
  expect(came[0]!.url).toBe('/v1/batches/1/close');
  expect(came[0]!.headers).toMatchObject({ 'content-length': '0' });
  expect(came[0]!.headers).not.toHaveProperty('transfer-encoding');
  expect(came[0]!.headers.host).not.toBe('other.example');
});

test('the place of a write that its answer does not tell is asked for where there are replicas', async () => {
  const api = await startFar(
    { writeForwardUrl: home.url },
    {
      replicas: {
        token: async () => [{ log: 'home', timeline: 2, position: 16n }],
        choose: async () => home.context.database,
        laterTimeline: () => undefined,
      },
    },
  );
  const made = await call(api, 'POST', '/v1/messages', { body: message });
  expect(made.headers.get('millrace-consistency')).toBe('home:2:0/10');
});

test('an upload arrives as it is sent, before its end', async () => {
  const sent = open(far, '/v1/batches?route=sms');
  sent.write(lines(0, 3_000));
  await until(async () => (await openBatches()).length === 1);
  sent.end(lines(3_000, 3_500));
  const { response, text } = await answerTo(sent);
  expect(response.statusCode).toBe(201);
  expect(JSON.parse(text).counts.accepted).toBe(3_500);
});

test('a far end that does not read holds the sender back', async () => {
  let release = () => {};
  const { api } = await startFarOf(async (request, response) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    answerJson(response, 200, { bytes: (await readBody(request)).length });
  });
  const part = Buffer.alloc(1_048_576, 'x');
  const parts = 64;
  const sent = open(api, '/v1/batches?route=sms');
  let written = 0;
  const writing = (async () => {
    for (; written < parts; written++) if (!sent.write(part)) await once(sent, 'drain');
    sent.end();
  })();
  let last = -1;
  // Held back when the same number is seen again long after.
  await vi.waitFor(
    () => {
      const same = written === last && written > 0;
      last = written;
      expect(same).toBe(true);
    },
    { interval: 500, timeout: 60_000 },
  );
  expect(written).toBeLessThan(parts / 2);
  release();
  await writing;
  expect(JSON.parse((await answerTo(sent)).text)).toEqual({ bytes: parts * part.length });
});

test('an upload that is refused before its end gets its answer', async () => {
  const sent = open(far, '/v1/batches?route=none');
  sent.write(lines(0, 3_000));
  const { response, text } = await answerTo(sent);
  expect(response.statusCode).toBe(422);
  expect(JSON.parse(text)).toMatchObject({ code: 'unknown_route' });
  sent.destroy();
});

test('a way that breaks in an upload is a 503, and sent again with its key the upload is there once', async () => {
  const path = '/v1/batches?route=sms';
  const headers = { 'idempotency-key': 'broken on its way' };
  const sent = open(far, path, headers);
  sent.write(lines(0, 3_000));
  const begun: string[] = [];
  await until(async () => {
    begun.splice(0, Infinity, ...(await openBatches()));
    return begun.length > 0;
  });
  const answering = answerTo(sent);
  expect(way.cut()).toBeGreaterThan(0);
  const { response, text } = await answering;
  expect(response.statusCode).toBe(503);
  expect(response.headers['retry-after']).toBe('1');
  expect(JSON.parse(text)).toMatchObject({
    code: 'unavailable',
    detail: expect.stringContaining('Idempotency-Key'),
  });
  sent.destroy();

  const again = async () => {
    const repeated = open(far, path, headers);
    repeated.end(lines(0, 3_500));
    return await answerTo(repeated);
  };
  let done = await again();
  await until(async () => {
    if (done.response.statusCode === 409) done = await again();
    return done.response.statusCode !== 409;
  });
  expect(done.response.statusCode).toBe(201);
  const batch = JSON.parse(done.text);
  expect(batch.counts).toMatchObject({ accepted: 3_500, rejected: 0 });
  expect(begun).toEqual([batch.id]);
  expect(await openBatches()).toEqual([]);
});

test('an answer that breaks off before its body is a 503, and later breaks off here too', async () => {
  const { api } = await startFarOf((request, response) => {
    const length = 1_000_000;
    response.writeHead(201, { 'content-length': String(length), 'content-encoding': 'x-far', etag: '"1"' });
    if (request.url === '/v1/accounts') response.flushHeaders();
    else response.write(Buffer.alloc(length / 2, ' '));
    setImmediate(() => response.destroy());
  });
  const early = await call(api, 'POST', '/v1/accounts', { body: { name: 'x' } });
  expect(early).toMatchObject({ status: 503, json: { code: 'unavailable' } });
  expect([early.headers.has('content-encoding'), early.headers.has('etag')]).toEqual([false, false]);
  expect(early.headers.get('cache-control')).toBe('no-store');
  await expect(call(api, 'POST', '/v1/keys', { body: {} })).rejects.toThrow();
});

test('a write whose answer breaks off is not made here as well', async () => {
  const { api } = await startFarOf((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{');
    setImmediate(() => response.destroy());
  });
  const { id } = (await call(home, 'POST', '/v1/batches', { body: { route: 'sms' } })).json;
  await expect(call(api, 'POST', `/v1/batches/${id}/pause`)).rejects.toThrow();
  // What would be made here is made before the server has ended.
  await site.stopNow(api);
  expect((await call(home, 'GET', `/v1/batches/${id}`)).json).toMatchObject({ state: 'open' });
});

test('where nobody listens nothing was done', async () => {
  const { target, api } = await startFarOf(() => {});
  await site.stopNow(target);
  const refused = await call(api, 'POST', '/v1/messages', { body: message });
  expect(refused).toMatchObject({ status: 503, json: { code: 'unavailable' } });
  expect(refused.json.detail).toContain('nothing was done');
  expect(refused.headers.get('retry-after')).toBe('1');
});

test.each([
  ['that it trusts', { NODE_EXTRA_CA_CERTS: certificate('localhost.crt') }, 201],
  ['that it does not trust', {}, 503],
] as const)('to a server with a certificate %s', async (_words, trust, status) => {
  const [cert, key] = await Promise.all(
    ['localhost.crt', 'localhost.key'].map((name) => readFile(certificate(name), 'utf8')),
  );
  const secure = await startApi({ tls: { cert: cert!, key: key! } });
  site.keep(secure);
  const data = await mkdtemp(join(tmpdir(), 'millrace-elsewhere-'));
  const url = `https://localhost:${new URL(secure.url).port}`;
  const place = ['--port', '0', '--roles', 'api', '--data', data, '--database', secure.databaseUrl];
  const server = await startProcess(['serve', ...place, '--write-forward-url', url], trust);
  try {
    const made = await fetch(`${server.url}/v1/accounts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secure.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'by TLS' }),
    });
    expect(made.status).toBe(status);
    expect(await made.text()).toContain(status === 201 ? 'by TLS' : 'nothing was done');
  } finally {
    await server.stop();
    await rm(data, { recursive: true });
  }
});

test('a client that goes away ends what was forwarded for it', async () => {
  const ended: string[] = [];
  const { target, api } = await startFarOf((request, response) => {
    request.on('error', () => {}).resume();
    response.on('close', () => ended.push(`${request.url} ${request.complete}`));
  });
  const uploading = open(api, '/v1/batches?route=sms');
  uploading.write(line(1));
  const waiting = open(api, '/v1/messages');
  waiting.end(line(1));
  await until(() => target.requests.length === 2);
  uploading.destroy();
  await until(() => ended.includes('/v1/batches?route=sms false'));
  waiting.destroy();
  await until(() => ended.includes('/v1/messages true'));
});

test('a server that stops ends the uploads that it forwards, and no request that is whole', async () => {
  let release = () => {};
  const { target, api } = await startFarOf((request, response) => {
    request.on('error', () => {}).resume();
    release = () => answerJson(response, 202, { messages: [] });
  });
  const uploading = open(api, '/v1/batches?route=sms');
  uploading.write(line(1));
  const uploaded = answerTo(uploading);
  await until(() => target.requests.length === 1);
  const whole = call(api, 'POST', '/v1/messages', { body: message });
  await until(() => target.requests.length === 2);
  api.context.lifecycle.beginStop();
  expect((await uploaded).response.statusCode).toBe(503);
  expect(JSON.parse((await uploaded).text)).toMatchObject({ code: 'stopping' });
  release();
  expect(await whole).toMatchObject({ status: 202 });
});

test('a write that was forwarded already is refused', async () => {
  const further = await startFar({ writeForwardUrl: far.url });
  expect(await call(further, 'POST', '/v1/messages', { body: message })).toMatchObject({
    status: 508,
    json: { code: 'forwarded_twice' },
  });
  const itself = await call(far, 'POST', '/v1/messages', {
    body: message,
    headers: { via: '2 a, 1.1 millrace (x)' },
  });
  expect(itself).toMatchObject({ status: 508 });
});
