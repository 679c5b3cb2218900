import { afterEach, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import {
  answerJson,
  answerProblem,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const failed = (id: string, code = 'timeout', route = 'sms') => ({
  ...{ id, route, state: 'failed', to: '+31612345678', attempts: 1, createdAt: 'then' },
  error: { code, detail: 'no' },
});

/** A server with two pages of messages that were sent singly; `conflicts` are refused a replay. */
async function serverOf(pages: object[][], conflicts: string[] = []) {
  const server = await startScriptedServer((request, response) => {
    const url = new URL(request.url!, 'http://server');
    if (request.method === 'GET') {
      const page = Number(url.searchParams.get('after') ?? '0');
      const next = page + 1 < pages.length ? String(page + 1) : null;
      answerJson(response, 200, { data: pages[page], next });
      return;
    }
    const id = url.pathname.split('/').at(-2)!;
    if (conflicts.includes(id)) answerProblem(response, 409, 'conflict');
    else answerJson(response, 200, { ...failed(id), state: 'queued' });
  });
  servers.push(server);
  return { env: { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' }, requests: server.requests };
}

const replaysOf = (requests: string[]) => requests.filter((request) => request.startsWith('POST ')).sort();

test('all messages in a state are replayed, page after page, and one that left it is counted apart', async () => {
  const many = Array.from({ length: 40 }, (_, index) => failed(`m${index}`));
  const { env, requests } = await serverOf([many, [failed('gone'), failed('last')]], ['gone']);
  const { status, out } = await runCli(
    ['message', 'replay', '--state', 'failed', '--since', '2026-11-30'],
    env,
  );
  expect({ status, out }).toEqual({
    status: 0,
    out: '41 messages replayed; 1 other had left the state meanwhile\n',
  });
  expect(requests[0]).toBe('GET /v1/messages?state=failed&limit=200&since=2026-11-30');
  const ids = [...many.map(({ id }) => id), 'gone', 'last'];
  expect(replaysOf(requests)).toEqual(ids.map((id) => `POST /v1/messages/${id}/replay`).sort());
});

test('a code and a route narrow down what is replayed', async () => {
  const { env, requests } = await serverOf([
    [failed('a'), failed('b', 'refused'), failed('c', 'refused', 'mail'), failed('d', 'refused')],
  ]);
  const narrowed = ['--state', 'failed', '--error-code', 'refused', '--route', 'sms', '--json'];
  const { out } = await runCli(['message', 'replay', ...narrowed], env);
  expect(JSON.parse(out)).toEqual({ replayed: 2, changed: 0 });
  expect(replaysOf(requests)).toEqual(['POST /v1/messages/b/replay', 'POST /v1/messages/d/replay']);
});

test('what webhooks were told is told again where its route is named, and erased messages never', async () => {
  const page = [failed('a'), failed('b', 'timeout', 'callbacks'), { ...failed('c'), erased: true }];
  const { env, requests } = await serverOf([page]);
  await runCli(['message', 'replay', '--state', 'failed'], env);
  expect(replaysOf(requests)).toEqual(['POST /v1/messages/a/replay']);
  await runCli(['message', 'replay', '--state', 'failed', '--route', 'callbacks'], env);
  expect(replaysOf(requests)).toEqual(['POST /v1/messages/a/replay', 'POST /v1/messages/b/replay']);
});

test('a server that refuses amid it is told with how many were replayed before', async () => {
  const server = await startScriptedServer((request, response) => {
    if (request.method === 'GET') answerJson(response, 200, { data: [failed('a'), failed('b')], next: null });
    else if (request.url!.includes('/a/')) answerJson(response, 200, failed('a'));
    else answerProblem(response, 409, 'wrong_region');
  });
  servers.push(server);
  const { status, err } = await runCli(['message', 'replay', '--state', 'failed'], {
    MILLRACE_URL: server.url,
    MILLRACE_KEY: 'k',
  });
  expect(status).toBe(1);
  expect(err).toMatch(/^1 message replayed before that\nerror: .*wrong_region/);
});

test('one message is replayed by its id', async () => {
  const { env, requests } = await serverOf([]);
  const { out } = await runCli(['message', 'replay', 'm'], env);
  expect(out).toMatch(/^state +queued$/m);
  expect(requests).toEqual(['POST /v1/messages/m/replay']);
});

test.each([
  [[], /the id of a message, or --state/],
  [['m', '--state', 'failed'], /an id, or --state/],
  [['m', '--route', 'sms'], /an id, or --state/],
  [['--state', 'sent'], /failed, expired, canceled, uncertain/],
])('message replay %j is wrong usage, and nothing is replayed', async (flags, words) => {
  const { env, requests } = await serverOf([[failed('a')]]);
  const { status, err } = await runCli(['message', 'replay', ...flags], env);
  expect(status).toBe(2);
  expect(err).toMatch(words);
  expect(requests).toEqual([]);
});
