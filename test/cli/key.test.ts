import { afterEach, describe, expect, it } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import {
  answerJson,
  type Handler,
  readBody,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function serverOf(handle: Handler): Promise<{ MILLRACE_URL: string; MILLRACE_KEY: string }> {
  const server = await startScriptedServer(handle);
  servers.push(server);
  return { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
}

describe('a list of keys', () => {
  it('tells which is which, and which of them work', async () => {
    const scopes = ['send', 'read'];
    const createdAt = '2026-01-02T03:04:05.000Z';
    const key = { accountId: '1', scopes, createdAt, expiresAt: null, revokedAt: null };
    const data = [
      { ...key, id: 'k1', hint: '…ab_1' },
      { ...key, id: 'k2', hint: '…ab_2', expiresAt: '2999-01-01T00:00:00.000Z' },
      { ...key, id: 'k3', hint: '…ab_3', expiresAt: '2026-02-01T00:00:00.000Z' },
      { ...key, id: 'k4', hint: '…ab_4', expiresAt: '2026-02-01T00:00:00.000Z', revokedAt: createdAt },
    ];
    const env = await serverOf((_, response) => answerJson(response, 200, { data, next: null }));
    const { out } = await runCli(['key', 'list'], env);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['ID', 'HINT', 'ACCOUNT', 'SCOPES', 'CREATED', 'EXPIRES', 'STATE'],
      ['k1', '…ab_1', '1', 'send,read', createdAt, 'never', 'active'],
      ['k2', '…ab_2', '1', 'send,read', createdAt, '2999-01-01T00:00:00.000Z', 'active'],
      ['k3', '…ab_3', '1', 'send,read', createdAt, '2026-02-01T00:00:00.000Z', 'expired'],
      ['k4', '…ab_4', '1', 'send,read', createdAt, '2026-02-01T00:00:00.000Z', 'revoked'],
    ]);
  });
});

describe('a new key', () => {
  it('alone goes to standard output', async () => {
    const env = await serverOf((_, response) => answerJson(response, 201, { id: 'k1', key: 'shown-once' }));
    const { out, err } = await runCli(['key', 'create'], env);
    expect(out).toBe('shown-once\n');
    expect(err).toContain('not shown again');
  });

  it('that the answer no longer shows is not passed over', async () => {
    const env = await serverOf((_, response) => answerJson(response, 201, { id: 'k1' }));
    expect(await runCli(['key', 'create'], env)).toMatchObject({
      status: 1,
      err: expect.stringContaining('key rotate k1'),
    });
  });
});

describe('a key that takes the place of another', () => {
  const createdAt = '2026-01-02T03:00:00.000Z';
  const made = { id: 'k2', key: 'shown-once', createdAt, expiresAt: null };

  it.each([
    [[], made, 0, /^the old key k1 has stopped working$/m],
    [['--overlap-ms', '60000'], made, 60_000, /^the old key k1 works until 2026-01-02T03:01:00\.000Z$/m],
    [
      ['--overlap-ms', '60000'],
      { ...made, expiresAt: '2026-01-02T03:00:30.000Z' },
      60_000,
      /^the old key k1 works until 2026-01-02T03:00:30\.000Z$/m,
    ],
  ])('says until when the old one works: %j', async (more, answer, overlapMs, words) => {
    let asked: unknown;
    const env = await serverOf(async (request, response) => {
      asked = [request.url, JSON.parse(String(await readBody(request)))];
      answerJson(response, 201, answer);
    });
    const { out, err } = await runCli(['key', 'rotate', 'k1', ...more], env);
    expect(asked).toEqual(['/v1/keys/k1/rotate', { overlapMs }]);
    expect(out).toBe('shown-once\n');
    expect(err).toMatch(words);
  });

  it('takes no overlap that the server would refuse', async () => {
    const { status, err } = await runCli(['key', 'rotate', 'k1', '--overlap-ms', '604800001']);
    expect(err).toMatch(/from 0 to 604800000/);
    expect(status).toBe(2);
  });
});
