import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { runFuzz } from './fuzz/run-fuzz.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let operations: { method: string; path: string }[];

beforeAll(async () => {
  api = await startApi();
  const { json } = await api.call('GET', '/openapi.json');
  operations = Object.entries<object>(json.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => ({ method: method.toUpperCase(), path })),
  );
});

/** Before each test: what a test sends at random may well have deleted or restricted the route. */
beforeEach(() =>
  api.call('PUT', '/v1/routes/known', { body: { connector: 'http', url: 'https://x.example' } }),
);

afterAll(() => api.stop());

interface Input {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** Not `fetch`, which mends or refuses much of what a hostile client would send. */
function send(input: Input): Promise<{ status: number; contentType: string; text: string }> {
  return new Promise((resolve, reject) => {
    const { method, path, body } = input;
    const headers = {
      authorization: `Bearer ${api.adminKey}`,
      'content-length': String(body.length),
      ...input.headers,
    };
    const outgoing = request(api.url + path, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      const contentType = response.headers['content-type'] ?? '';
      const end = () =>
        resolve({ status: response.statusCode ?? 0, contentType, text: Buffer.concat(parts).toString() });
      response.on('data', (part) => {
        parts.push(part);
        if (!contentType.startsWith('text/event-stream')) return;
        // It does not end by itself.
        end();
        response.destroy();
      });
      response.on('end', end);
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const nasty = fc.constantFrom(
  '', '%00', '%ff', '%', '..', '%2e%2e%2f', '__proto__', 'constructor', 'null', '-1', '0', '1e400', '9'.repeat(30),
  '2147483648', '9223372036854775808', 'NaN', "'; DROP TABLE account; --", '%F0%9F%92%A9', '%ED%A0%80', 'a'.repeat(299),
  'known', '1', '018f0000-0000-7000-8000-000000000000', '018F0000-0000-7000-8000-000000000000',
  'ffffffff-ffff-7fff-bfff-ffffffffffff', '+31612345678', '2026-01-01T00:00:00Z', '99999-99-99T99:99:99Z',
); // biome-ignore format: a table
const names = fc.constantFrom(
  'limit', 'after', 'to', 'ref', 'state', 'since', 'until', 'format', 'close', 'route', 'atomic', 'accountId',
  'priority', 'start', 'x',
); // biome-ignore format: a table
const query = fc
  .array(fc.tuple(names, nasty), { maxLength: 3 })
  .map((pairs) =>
    pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`,
  );

const fieldNames = fc.constantFrom(
  'name', 'weight', 'scopes', 'accountId', 'expiresAt', 'connector', 'url', 'headers', 'retry', 'accounts', 'route',
  'to', 'body', 'metadata', 'tags', 'priority', 'start', '__proto__', 'constructor', 'defaultRoutes', 'overlapMs',
); // biome-ignore format: a table
const fieldValues = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('known', 'http', '1', ['1'], ['admin'], '+31612345678', '\0', '\ud800', 1e308, -0, 2 ** 53),
);
const jsonBody = fc
  .array(fc.tuple(fieldNames, fieldValues), { maxLength: 6 })
  .map(
    (pairs) =>
      `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
  );
const body = fc.oneof(
  jsonBody.map((text) => Buffer.from(text)),
  fc.array(jsonBody, { maxLength: 4 }).map((texts) => Buffer.from(`[${texts.join(',')}]`)),
  fc.array(jsonBody, { maxLength: 4 }).map((texts) => Buffer.from(texts.join('\n'))),
  fc
    .constantFrom('', '[', '{', 'null', '"x"', `${'['.repeat(2_000)}`, 'to,body\n+31612345678,"x', '\ufeff{}')
    .map(Buffer.from),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);
const headers = fc.record(
  {
    'content-type': fc.constantFrom(
      'application/json',
      'application/json',
      'application/json', 'application/json', 'application/json', 'application/x-ndjson', 'text/csv', 'application/json; charset=utf-16', 'x', '',
    ),
    'content-encoding': fc.constantFrom('gzip', 'br', 'x'),
    'idempotency-key': fc.constantFrom('k', '', 'k\xff', 'k'.repeat(300), '\t'),
    'upload-line': fc.constantFrom('0', '1', '-1', 'x', '1e9', '99999999999999999999'),
    accept: fc.constantFrom('text/csv', '*/*', ';'),
    expect: fc.constant('100-continue'),
  },
  { requiredKeys: ['content-type'] },
); // biome-ignore format: a table

test('no input makes the server fail', async () => {
  const input = fc
    .record({ at: fc.nat(), part: nasty, query, headers, body })
    .map(({ at, part, query, headers, body }): Input => {
      const { method, path } = operations[at % operations.length]!;
      return { method, path: path.replace(/\{\w+\}/, part) + query, headers, body };
    });
  await fc.assert(
    fc.asyncProperty(input, async (one) => {
      const { status, contentType, text } = await send(one);
      expect(status, text).toBeLessThan(500);
      if (status >= 400) expect(contentType).toBe('application/problem+json');
    }),
    { numRuns: 300 },
  );
});

/** Requests that are taken as they are: the deeper layers see what one wrong value does to them. */
const taken: [string, string, Record<string, unknown>][] = [
  ['POST', '/v1/accounts', { name: 'Fuzz', weight: 2, defaultRoutes: { sms: 'known' } }],
  ['POST', '/v1/keys', { accountId: '1', scopes: ['read'], expiresAt: '2100-01-01T00:00:00Z' }],
  [
    'PUT',
    '/v1/routes/other',
    {
      connector: 'http',
      url: 'https://provider.example/x',
      headers: { a: 'b' },
      batch: { max: 10 },
      timeoutMs: 1_000,
      ratePerSecond: 5,
      concurrency: 2,
      retry: { attemptsMax: 3 },
      accounts: ['1'],
    },
  ],
  [
    'POST',
    '/v1/messages',
    { to: '+31612345678', body: 'x', route: 'known', ref: 'r', tags: ['t'], metadata: { a: 1 } },
  ],
  ['POST', '/v1/batches', { route: 'known', body: 'x', tags: ['t'], metadata: { a: 1 }, priority: 'bulk' }],
  ['POST', '/v1/batches?route=known', { to: '+31612345678', body: 'x', payload: { a: [1] } }],
];
const anyText = fc.string({ unit: 'binary', maxLength: 40 });
const anyValue = fc.oneof(
  { weight: 2, arbitrary: fieldValues },
  anyText,
  anyText.map((text) => ({ [text]: text })),
  fc.constantFrom(
    'x'.repeat(70_000),
    [],
    {},
    Array(2_000).fill('x'),
    null,
    0,
    ' ',
    '\uffff',
    '2100-02-30T00:00:00Z',
  ),
);

test('one wrong value in a good request makes no server error', async () => {
  const good = await send(inputOf(taken[0]!, taken[0]![2]));
  expect(good.status, good.text).toBe(201);
  const input = fc
    .record({ at: fc.nat(taken.length - 1), field: fc.nat(), value: anyValue })
    .map((change) => {
      const request = taken[change.at]!;
      const fields = Object.keys(request[2]);
      const name = fields[change.field % fields.length]!;
      return inputOf(request, { ...request[2], [name]: change.value });
    });
  await fc.assert(
    fc.asyncProperty(input, async (one) => {
      const { status, text } = await send(one);
      expect(status, text).toBeLessThan(500);
    }),
    { numRuns: 200 },
  );
});

function inputOf([method, path]: [string, string, unknown], body: Record<string, unknown>): Input {
  return {
    method,
    path,
    headers: { 'content-type': path.includes('?') ? 'application/x-ndjson' : 'application/json' },
    body: Buffer.from(JSON.stringify(body)),
  };
}

test('raw bytes instead of a path do no harm', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.webPath(),
      fc.constantFrom('GET', 'POST', 'PUT', 'PROPFIND', 'OPTIONS'),
      async (path, method) => {
        const { status } = await send({ method, path: path || '/', headers: {}, body: Buffer.alloc(0) });
        expect(status).toBeLessThan(500);
      },
    ),
    { numRuns: 200 },
  );
});

/** `npm run fuzz` sends 100,000. */
test('a server under random and mutated requests to every call keeps nothing of them, and stops in order', {
  timeout: 180_000,
}, async () => {
  const { url } = await createTestDatabase();
  const seed = Date.now() % 1_000_000;
  const report = await runFuzz({ databaseUrl: url, requests: 1_000, seed });
  expect({ seed, broken: report.broken }).toEqual({ seed, broken: [] });
});
