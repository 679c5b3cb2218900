import { connect, createServer, type Socket } from 'node:net';
import { Type } from 'typebox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readBody } from '../../src/api/body.ts';
import type { ApiInstance } from '../../src/api/context.ts';
import { createLifecycle } from '../../src/api/lifecycle.ts';
import { buildProbeServer, buildServer, stopServer } from '../../src/api/server.ts';
import { messageFields } from '../../src/intake/message-field.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

interface Operation {
  summary: string;
  description: string;
  security: unknown[];
  responses: Record<string, unknown>;
}

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

/** What the server answers to these bytes until it closes, or `until` is in it. */
function exchange(bytes: string | Buffer, until = /\r\n\r\n[\s\S]*}$/): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    let text = '';
    const end = () => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (part) => {
      text += part;
      if (until.test(text)) end();
    });
    socket.on('end', end).on('error', reject);
    socket.write(bytes);
  });
}

test('an unknown path is a problem document', async () => {
  const answer = await api.call('GET', '/v1/nothing');
  expect(answer.status).toBe(404);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.json).toMatchObject({
    status: 404,
    code: 'not_found',
    type: 'urn:millrace:problem:not_found',
  });
  expect((await api.call('POST', '/v1/nothing', { body: '{not json' })).status).toBe(404);
});

test('a wrong method says which are right, and OPTIONS tells them', async () => {
  const answer = await api.call('PUT', '/v1/accounts', { body: {} });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS, POST']);
  const options = await api.call('OPTIONS', '/v1/keys/x/rotate', { key: null });
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'OPTIONS, POST']);
  expect((await api.call('OPTIONS', '/v1/nothing')).status).toBe(404);
  const head = await api.call('HEAD', '/livez', { key: null });
  expect([head.status, head.text]).toEqual([200, '']);
});

test.each<[string, Record<string, string>]>([
  ['no key', {}],
  ['an unknown key', { authorization: 'Bearer mr_unknown' }],
  ['another scheme', { authorization: 'Basic bXI6eA==' }],
  ['an empty key', { authorization: 'Bearer ' }],
  ['a key of kilobytes', { authorization: `Bearer ${'x'.repeat(5_000)}` }],
])('%s is 401', async (_name, headers) => {
  const answer = await api.call('GET', '/v1/accounts', { key: null, headers });
  expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
});

test('the scheme is read without regard to case', async () => {
  const headers = { authorization: `bearer ${api.adminKey}` };
  expect((await api.call('GET', '/v1/accounts', { key: null, headers })).status).toBe(200);
});

test.each<[string, string, number, string]>([
  ['malformed JSON', '{"name":', 400, 'invalid_json'],
  ['two JSON texts', '{"name":"a"}{"name":"b"}', 400, 'invalid_json'],
  ['a NUL character', '{"name":"a\\u0000b"}', 400, 'invalid_json'],
  ['half a surrogate pair', '{"name":"\\ud800"}', 400, 'invalid_json'],
  ['deep nesting', `{"name":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, 400, 'invalid_json'],
  ['a number out of range', '{"name":"x","weight":1e999}', 400, 'invalid_json'],
  ['__proto__', '{"name":"x","__proto__":{"weight":5}}', 422, 'validation_failed'],
  ['constructor', '{"name":"x","constructor":{"prototype":{}}}', 422, 'validation_failed'],
  ['an array', '[]', 422, 'validation_failed'],
  ['null', 'null', 422, 'validation_failed'],
  ['an empty body', '', 422, 'validation_failed'],
])('%s as a body is refused', async (_name, body, status, code) => {
  const answer = await api.call('POST', '/v1/accounts', { body });
  expect([answer.status, answer.json.code]).toEqual([status, code]);
});

test('a refusal of malformed JSON does not repeat the text', async () => {
  const answer = await api.call('POST', '/v1/accounts', { body: '{"name": hunter2}' });
  expect(answer.text).not.toContain('hunter2');
});

test('a body that is too large, or of another type, is refused', async () => {
  const large = await api.call('POST', '/v1/accounts', {
    body: JSON.stringify({ name: 'x'.repeat(2_000_000) }),
  });
  expect([large.status, large.json.code]).toEqual([413, 'payload_too_large']);
  const headers = { 'content-type': 'text/xml' };
  const other = await api.call('POST', '/v1/accounts', { body: '<name/>', headers });
  expect([other.status, other.json.code]).toEqual([415, 'unsupported_media_type']);
});

test.each([
  'limit=0',
  'limit=201',
  'limit=x',
  'limit=1.0',
  'limit=',
  'limit=1&limit=2',
  'colour=red',
  '__proto__=1',
])('the query %s is refused', async (query) => {
  const answer = await api.call('GET', `/v1/accounts?${query}`);
  expect([answer.status, answer.json.code]).toEqual([422, 'validation_failed']);
  expect(answer.json.errors[0].pointer).toBe(`/${query.split('=')[0]}`);
});

test.each([
  '/v1/keys/%ff',
  '/v1/keys/%',
  '/v1/keys/%00',
  '/v1/accounts?after=%00',
  '/v1/accounts?after=%e2%28',
])('%s is malformed', async (path) => {
  const answer = await api.call('GET', path);
  expect([answer.status, answer.json.code]).toEqual([400, 'invalid_request']);
});

test('a path part without end is not found', async () => {
  expect((await api.call('GET', `/v1/keys/${'x'.repeat(2_000)}`)).status).toBe(404);
});

test('what is not HTTP is answered all the same', async () => {
  expect(await exchange('hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_request"/);
  const long = `GET /livez HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`;
  expect(await exchange(long)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
  const noHost = await exchange('GET /livez HTTP/1.1\r\n\r\n', /\r\n\r\n/);
  expect(noHost).toMatch(/^HTTP\/1\.1 400 /);
  const latin = Buffer.from(
    `GET /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xe9\xff\r\n\r\n`,
    'latin1',
  );
  expect(await exchange(latin)).toMatch(/^HTTP\/1\.1 401 /);
});

test('a body that breaks off harms nobody', async () => {
  const head = `POST /v1/accounts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${api.adminKey}\r\ncontent-type: application/json\r\n`;
  await new Promise<void>((resolve) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => {
      socket.write(`${head}content-length: 100\r\n\r\n{"name"`, () => socket.destroy());
    });
    socket.on('close', () => resolve());
  });
  expect((await api.call('GET', '/livez')).status).toBe(200);
});

test('liveness, readiness and metrics need no key and tell no secret', async () => {
  expect((await api.call('GET', '/livez', { key: null })).json).toEqual({ status: 'alive' });
  expect((await api.call('GET', '/healthz', { key: null })).json).toEqual({ status: 'alive' });
  expect((await api.call('GET', '/readyz', { key: null })).json).toEqual({
    ...{ status: 'ready', acknowledged: 'on-primary-only' },
  });
  await api.call('GET', '/v1/keys/some-id');
  const metrics = await api.call('GET', '/metrics', { key: null });
  expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=/);
  const figures = metrics.text.split('\n').map((line) => line.slice(0, line.lastIndexOf(' ')));
  const keyAsked = 'millrace_http_request_seconds_count{method="GET",route="/v1/keys/:id",status="404"}';
  const looked = [keyAsked, 'process_resident_memory_bytes'];
  expect(looked.filter((name) => !figures.includes(name))).toEqual([]);
  expect(figures.filter((name) => name.includes('some-id'))).toEqual([]);
});

test('a server without an API answers probes, and nothing else', async () => {
  const app = buildProbeServer(api.context);
  const statuses: [string, number][] = [];
  for (const url of ['/livez', '/readyz', '/metrics', '/v1/messages', '/openapi.json']) {
    statuses.push([url, (await app.inject({ url })).statusCode]);
  }
  await app.close();
  expect(statuses).toEqual([
    ['/livez', 200],
    ['/readyz', 200],
    ['/metrics', 200],
    ['/v1/messages', 404],
    ['/openapi.json', 404],
  ]);
});

test('the description lists every endpoint with its scope and its errors', async () => {
  const { json } = await api.call('GET', '/openapi.json', { key: null });
  expect(json.openapi).toBe('3.1.0');
  for (const [path, item] of Object.entries<Record<string, Operation>>(json.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const name = `${method} ${path}`;
      expect(operation.summary, name).toBeTruthy();
      if (operation.security.length === 0) continue;
      expect(operation.description, name).toMatch(/Needs the scope `(send|read|manage|admin)`|Any key may/);
      expect(Object.keys(operation.responses), name).toEqual(expect.arrayContaining(['401', '403', '503']));
    }
  }
  const { post } = json.paths['/v1/accounts'];
  expect(post.requestBody.content['application/json'].schema.required).toEqual(['name']);
  expect(Object.keys(post.responses)).toEqual(expect.arrayContaining(['201', '409', '413', '422']));
});

test('the description names every field of a message, and every option of a route', async () => {
  const { paths } = (await api.call('GET', '/openapi.json', { key: null })).json;
  const bodyOf = (operation: { requestBody: { content: Record<string, { schema: object }> } }) =>
    operation.requestBody.content['application/json']!.schema;
  const [one, many] = (bodyOf(paths['/v1/messages'].post) as { anyOf: Described[] }).anyOf;
  const built = messageFields.filter(({ kind }) => kind !== 'unavailable').map(({ name }) => name);
  expect(Object.keys(one!.properties)).toEqual(built);
  expect(one!.properties).toMatchObject({ to: { type: 'string' }, subject: { maxLength: 998 } });
  expect(many).toMatchObject({ type: 'array', items: one });
  const route = bodyOf(paths['/v1/routes/{name}'].put) as Described;
  expect(route.required).toEqual(['connector']);
  const options = ['url', 'headers', 'batch', 'timeoutMs', 'allowPrivate', 'ratePerSecond'];
  expect(Object.keys(route.properties)).toEqual(expect.arrayContaining(options));
});

interface Described {
  properties: Record<string, object>;
  required?: string[];
}

test('an endpoint that names no scope cannot be registered', () => {
  const app = buildServer(api.context);
  expect(() => app.get('/open', async () => 'x')).toThrow('names no scope');
});

test('while the database is away nothing is reported as done, and the server says so', async () => {
  const link = await cuttableLink((await createTestDatabase()).url);
  const lonely = await startApi({ databaseUrl: link.url });
  try {
    const calls: [string, string, unknown?][] = [
      ['POST', '/v1/accounts', { name: 'x' }],
      ['GET', '/v1/accounts'],
      ['PUT', '/v1/routes/x', { connector: 'http', url: 'https://x.example' }],
    ];
    await link.cut();
    for (const [method, path, body] of calls) {
      const answer = await lonely.call(method, path, { body });
      expect([answer.status, answer.json.code]).toEqual([503, 'unavailable']);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(answer.text).not.toContain('ECONN');
    }
    expect((await lonely.call('GET', '/readyz')).status).toBe(503);
    expect((await lonely.call('GET', '/livez')).status).toBe(200);
    await link.mend();
    expect((await lonely.call('GET', '/v1/accounts')).status).toBe(200);
    await expect.poll(async () => (await lonely.call('GET', '/readyz')).status).toBe(200);
  } finally {
    await lonely.stop();
    await link.cut();
  }
});

/** A way to a database that can be cut and mended, as a network or a server is. */
async function cuttableLink(databaseUrl: string) {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one));
    }
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as { port: number };
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    mend: () => listen(port),
    async cut() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

test('a stopping server ends what it began and takes nothing new', async () => {
  const lifecycle = createLifecycle();
  const app: ApiInstance = buildServer({ ...api.context, lifecycle });
  let release = () => {};
  const begun = new Promise<void>((started) => {
    app.get(
      '/slow',
      { config: { scope: 'none' }, schema: { response: { 200: Type.String() } } },
      () =>
        new Promise<string>((resolve) => {
          release = () => resolve('done');
          started();
        }),
    );
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const slow = fetch(`${url}/slow`);
  await begun;
  // A second connection that is kept alive, to ask on while the listener is closed.
  await (await fetch(`${url}/livez`)).text();
  lifecycle.beginStop();
  const refused = await fetch(`${url}/v1/accounts`, { headers: { authorization: `Bearer ${api.adminKey}` } });
  expect([refused.status, refused.headers.get('connection')]).toEqual([503, 'close']);
  expect(((await refused.json()) as { code: string }).code).toBe('stopping');
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  expect((await fetch(`${url}/livez`)).status).toBe(200);

  const stopped = stopServer(app, { context: { ...api.context, lifecycle }, deadlineMs: 10_000 });
  release();
  expect(await (await slow).text()).toContain('done');
  await stopped;
  await expect(fetch(`${url}/livez`)).rejects.toThrow();
});

test('a stop ends at its deadline although a request does not', async () => {
  const lifecycle = createLifecycle();
  const app: ApiInstance = buildServer({ ...api.context, lifecycle });
  const begun = new Promise<void>((started) => {
    app.get('/never', { config: { scope: 'none' } }, () => {
      started();
      return new Promise(() => {});
    });
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const never = fetch(`${url}/never`).catch(() => 'cut');
  await begun;
  await stopServer(app, { context: { ...api.context, lifecycle }, deadlineMs: 50 });
  expect(await never).toBe('cut');
});

test('a body that trickles is given up', async () => {
  const { PassThrough } = await import('node:stream');
  await expect(readBody(new PassThrough(), { bytesMax: 10, timeoutMs: 5 })).rejects.toMatchObject({
    code: 'request_timeout',
  });
});
