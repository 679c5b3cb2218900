import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiContext } from '../../src/api/context.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
const asked: unknown[] = [];

beforeAll(async () => {
  const replicas: ApiContext['replicas'] = {
    token: async () => [{ log: 'home', timeline: 2, position: 0x16b374d848n }],
    async choose(token) {
      asked.push(token);
      return api.context.database;
    },
    laterTimeline: (token) => (token !== 'unknown' && token[0]!.timeline < 2 ? 2 : undefined),
  };
  api = await startApi({ replicas });
});

afterAll(() => api.stop());

test('a write answers with a token, a read and a refusal do not', async () => {
  const header = 'millrace-consistency';
  const made = await api.call('POST', '/v1/accounts', { body: { name: 'carried' } });
  expect(made).toMatchObject({ status: 201 });
  expect(made.headers.get(header)).toBe('home:2:16/B374D848');
  expect((await api.call('GET', '/v1/batches')).headers.has(header)).toBe(false);
  expect((await api.call('POST', '/v1/accounts', { key: null, body: {} })).headers.has(header)).toBe(false);
});

test('a read asks for what its token names', async () => {
  asked.length = 0;
  const get = (token: string) =>
    api.call('GET', '/v1/batches', { headers: { 'millrace-consistency': token } });
  expect(await get('home:1:0/10')).toMatchObject({ status: 200 });
  expect(await get('unknown')).toMatchObject({ status: 200 });
  expect(asked).toEqual([[{ log: 'home', timeline: 1, position: 16n }], 'unknown']);
});

test('a read whose token is of an earlier timeline is told the one of now, as what it names may be lost; no other is', async () => {
  const answered = async (path: string, token: string) => {
    const { headers } = await api.call('GET', path, { headers: { 'millrace-consistency': token } });
    return headers.get('millrace-timeline');
  };
  const lost = '/v1/messages/0197f000-0000-7000-8000-000000000000';
  expect([await answered('/v1/batches', 'home:1:0/10'), await answered(lost, 'home:1:0/10')]).toEqual([
    '2',
    '2',
  ]);
  expect([await answered('/v1/batches', 'home:2:0/10'), await answered('/v1/batches', 'unknown')]).toEqual([
    null,
    null,
  ]);
  const made = await api.call('POST', '/v1/accounts', {
    body: { name: 'later' },
    headers: { 'millrace-consistency': 'home:1:0/10' },
  });
  expect(made).toMatchObject({ status: 201 });
  expect(made.headers.has('millrace-timeline')).toBe(false);
});

test.each(['', 'home', 'home:1:0/1;home:1:0/2', 'x'.repeat(5_000)])(
  'what is no token (%#) is refused in words',
  async (token) => {
    const headers = { 'millrace-consistency': token };
    expect(await api.call('GET', '/v1/batches', { headers })).toMatchObject({
      status: 400,
      json: { code: 'invalid_request', detail: expect.stringContaining('home:1:0/16B374D8') },
    });
  },
);

test('the description has the header of reads, and of the answers to writes', async () => {
  const { paths } = (await api.call('GET', '/openapi.json', { key: null })).json;
  const name = 'Millrace-Consistency';
  const parameters = (operation: { parameters?: { name: string }[] }) => operation.parameters ?? [];
  expect(parameters(paths['/v1/batches'].get)).toContainEqual(
    expect.objectContaining({ name, in: 'header' }),
  );
  expect(paths['/v1/messages'].post.responses['202'].headers).toHaveProperty(name);
  expect(paths['/v1/messages'].get.responses['200'].headers).toHaveProperty('Millrace-Timeline');
  expect(parameters(paths['/livez'].get)).toEqual([]);
});

test('without replicas a write answers with a token that leads to the primary', async () => {
  const alone = await startApi();
  try {
    const made = await alone.call('POST', '/v1/accounts', { body: { name: 'alone' } });
    const token = made.headers.get('millrace-consistency')!;
    expect(token).toBe('unknown');
    const headers = { 'millrace-consistency': token };
    expect(await alone.call('GET', '/v1/batches', { headers })).toMatchObject({ status: 200 });
  } finally {
    await alone.stop();
  }
});
