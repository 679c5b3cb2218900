import { afterEach, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { answerJson, type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function serverOf(answer: unknown) {
  const server = await startScriptedServer((_, response) => answerJson(response, 200, answer));
  servers.push(server);
  return { env: { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' }, requests: server.requests };
}

const lastAt = '2026-01-02T03:04:05.000Z';
const data = [
  {
    code: 'provider_refused',
    state: 'failed',
    messages: 1_200,
    lastAt,
    example: { id: 'm1', detail: 'no such number' },
  },
  { code: 'timeout', state: 'retrying', messages: 3, lastAt, example: { id: 'm2', detail: null } },
];

test('the errors of a batch are told by code, with how many and an example', async () => {
  const { env, requests } = await serverOf({ data });
  const { status, out } = await runCli(['batch', 'errors', 'b'], env);
  expect(requests).toEqual(['GET /v1/batches/b/errors']);
  expect({ status, lines: out.trimEnd().split('\n') }).toEqual({
    status: 0,
    lines: [
      expect.stringMatching(/^CODE +STATE +MESSAGES +LAST +EXAMPLE +DETAIL$/),
      expect.stringMatching(
        /^provider_refused +failed +1,200 +2026-01-02T03:04:05.000Z +m1 +no such number$/,
      ),
      expect.stringMatching(/^timeout +retrying +3 +2026-01-02T03:04:05.000Z +m2$/),
    ],
  });
});

test('they can be had as JSON', async () => {
  const { env } = await serverOf({ data });
  expect(JSON.parse((await runCli(['batch', 'errors', 'b', '--json'], env)).out)).toEqual({ data });
});

test('a batch without errors says so', async () => {
  const { env } = await serverOf({ data: [] });
  expect((await runCli(['batch', 'errors', 'b'], env)).out).toBe('no errors\n');
});

test.each([
  [2, 'why they failed: millrace batch errors b\n'],
  [0, undefined],
])('a batch with %i failed messages names the command', async (failed, words) => {
  const counts = { accepted: 5, rejected: 0, sent: 5 - failed, failed, uncertain: 0 };
  const { env } = await serverOf({ id: 'b', state: 'done', route: 'r', counts, createdAt: lastAt });
  const { out } = await runCli(['batch', 'show', 'b'], env);
  expect(out.split('\n\n')[1]).toBe(words);
});
