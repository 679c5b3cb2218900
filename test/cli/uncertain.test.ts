import { afterEach, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import {
  answerJson,
  readBody,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

/** A server that gives one answer, and what it was asked. */
async function serverOf(answer: unknown) {
  const asked: { url: string; body: string }[] = [];
  const server = await startScriptedServer(async (request, response) => {
    asked.push({ url: request.url!, body: String(await readBody(request)) });
    answerJson(response, 200, answer);
  });
  servers.push(server);
  return { env: { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' }, asked };
}

const message = { id: 'm', state: 'sent', to: '+31612345678', route: 'r', attempts: 1, createdAt: 'then' };
const counts = { accepted: 5, rejected: 0, sent: 2, delivered: 0, failed: 0, uncertain: 3 };
const batch = { id: 'b', state: 'done', route: 'r', counts, createdAt: 'then' };

test('a list of batches shows how many of their messages are uncertain', async () => {
  const { env } = await serverOf({ data: [batch], next: null });
  const { out } = await runCli(['batch', 'list'], env);
  expect(out).toMatch(/SENT +FAILED +UNCERTAIN +CREATED\n.* 2 +0 +3 +then\n$/);
});

test('uncertain messages are found by their state', async () => {
  const { env, asked } = await serverOf({ data: [{ ...message, state: 'uncertain' }], next: null });
  const { out } = await runCli(['message', 'find', '--state', 'uncertain'], env);
  expect(asked[0]!.url).toBe('/v1/messages?limit=50&state=uncertain');
  expect(out).toMatch(/m +then +\+31612345678 +r +uncertain/);
});

test('where no message that was sent singly has the state, it is told where those of batches are', async () => {
  const { env } = await serverOf({ data: [], next: null });
  const { out } = await runCli(['message', 'find', '--state', 'uncertain'], env);
  expect(out).toMatch(/sent singly.*millrace batch list/);
});

test('a message is settled, and the answer says what became of it', async () => {
  const { env, asked } = await serverOf(message);
  const { status, out } = await runCli(['message', 'resolve', 'm', '--as', 'sent'], env);
  expect(asked).toEqual([{ url: '/v1/messages/m/resolve', body: '{"as":"sent"}' }]);
  expect({ status, first: out.split('\n')[0] }).toEqual({ status: 0, first: 'settled as sent' });
});

test('a message whose owner has not answered yet is not said to be settled', async () => {
  const { env } = await serverOf({ ...message, state: 'uncertain' });
  const { out } = await runCli(['message', 'resolve', 'm', '--as', 'sent'], env);
  expect(out).toMatch(/^not settled yet.*millrace message show m\n/);
});

test.each([
  [3, 0, /^settled 3 uncertain messages as failed\n/],
  [1, 0, /^settled 1 uncertain message as failed\n/],
  [2, 1, /^settled 2 uncertain messages as failed, 1 is still uncertain: .*again\n/],
  [0, 0, /^no message of the batch was uncertain\n/],
])('a batch says how many it settled: %i, and %i are left', async (settled, uncertain, words) => {
  const { env } = await serverOf({ ...batch, settled, counts: { ...counts, uncertain } });
  const { out } = await runCli(['batch', 'resolve', 'b', '--as', 'failed'], env);
  expect(out).toMatch(words);
});

test.each([
  [['message', 'resolve', 'm'], /--as/],
  [['message', 'resolve', 'm', '--as', 'lost'], /sent, failed/],
  [['message', 'find', '--state', 'queued'], /uncertain, failed, expired, canceled, suppressed/],
  [['message', 'find', '--state', 'failed', '--to', '+31612345678'], /one of --to, --ref and --state/],
])('%j is wrong usage', async (argv, words) => {
  const { status, err } = await runCli(argv, { MILLRACE_KEY: 'k' });
  expect(err).toMatch(words);
  expect(status).toBe(2);
});
