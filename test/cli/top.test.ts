import { EventEmitter } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { runCli } from '../support/run-cli.ts';
import { answerJson, type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';
import { TerminalStream } from '../support/terminal-stream.ts';

const lane = {
  ...{ accountId: '7', route: 'sms', priority: 'bulk', queued: 1_200_000, aside: 0, held: 0 },
  ...{
    oldestDueAt: '2026-01-01T00:00:00Z',
    sentPerSecond: 480.5,
    ratePerSecond: 500,
    accountRatePerSecond: null,
  },
  ...{ concurrency: 64, share: 1, breaker: 'open', lastError: null, paused: false, opensAt: null },
};
const figures = [
  '# TYPE millrace_messages_accepted_total counter',
  'millrace_messages_accepted_total{route="sms",priority="bulk"} 100',
  'millrace_owned_shards 1000',
  'millrace_shards_without_owner 24',
  'millrace_delivery_workers 2',
  '',
].join('\n');

let server: ScriptedServer;
let env: { MILLRACE_URL: string; MILLRACE_KEY: string };
let looks = 0;

beforeAll(async () => {
  server = await startScriptedServer((request, response) => {
    if (request.url === '/metrics') response.end(figures);
    else {
      looks++;
      const small = { ...lane, accountId: '8', priority: 'interactive', queued: 3, breaker: 'closed' };
      answerJson(response, 200, { data: [small, lane], next: null });
    }
  });
  env = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
});

afterAll(() => server.stop());

it('shows the flood once: the whole, its routes, its lanes with the fullest first', async () => {
  const { status, out, err } = await runCli(['top', '--once'], env);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const lines = out.split('\n');
  expect(lines[0]).toMatch(
    /^1,200,003 waiting, 961\.0\/s sent, oldest .*, 2 workers here with 1,000 shards, 24 shards WITHOUT AN OWNER$/,
  );
  expect(lines[3]).toMatch(/^sms +2 +1,200,003 +961\.0 +500\.0 +open$/);
  expect(lines.slice(6).map((line) => line.split(/ +/).slice(0, 4))).toEqual([
    ['sms', '7', 'bulk', '1,200,000'],
    ['sms', '8', 'interactive', '3'],
    [''],
  ]);
  const json = JSON.parse((await runCli(['top', '--once', '--json'], env)).out);
  expect(json).toMatchObject({ queued: 1_200_003, server: { workers: 2, shardsWithoutOwner: 24 } });
  expect(json.routes).toMatchObject([{ route: 'sms', lanes: 2, breaker: 'open' }]);
});

it('writes lines where there is no terminal, and objects for programs, until it is stopped', async () => {
  for (const args of [[], ['--json']]) {
    const stop = new AbortController();
    looks = 0;
    const running = runCli(['top', '--every', '0.5', ...args], env, stop.signal);
    await expect.poll(() => looks).toBeGreaterThan(2);
    stop.abort(new Error('stopped'));
    const { status, out, err } = await running;
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).not.toContain('\u001b');
    const [line] = out.split('\n');
    if (args.length > 0) expect(JSON.parse(line!).lanes).toHaveLength(2);
    else expect(line).toMatch(/^2\d{3}-\S+ 1,200,003 waiting, /);
  }
});

class Keys extends EventEmitter {
  readonly isTTY = true;
  raw = false;

  setRawMode(raw: boolean): void {
    this.raw = raw;
  }

  resume(): void {}
  pause(): void {}
}

it.each([
  ['q', 0],
  ['\u0003', 0],
])('draws on a terminal, and %j leaves it as it was', async (key, expected) => {
  const [out, err, input] = [new TerminalStream(), new TerminalStream(), new Keys()];
  const environment = { ...env, NO_COLOR: '1' };
  const running = runCommandLine(['top', '--every', '0.5'], {
    ...{ terminal: createTerminal(out, err, environment), environment, input },
    signal: AbortSignal.timeout(60_000),
  });
  await expect.poll(() => out.text.split('q ends').length).toBeGreaterThan(2);
  expect(input.raw).toBe(true);
  input.emit('data', Buffer.from(key));
  expect(await running).toBe(expected);
  expect(input.raw).toBe(false);
  expect(out.text.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
  expect(out.text.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  // NO_COLOR is obeyed: what moves the cursor is no colour.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
  expect(out.text).not.toMatch(/\u001b\[[0-9;]*m/);
});

it('tells before it draws when there is no server to ask', async () => {
  const out = new TerminalStream();
  const environment = { MILLRACE_URL: 'http://127.0.0.1:1', MILLRACE_KEY: 'k' };
  const err = new TerminalStream();
  const status = await runCommandLine(['top'], {
    ...{ terminal: createTerminal(out, err, environment), environment, signal: AbortSignal.timeout(60_000) },
  });
  expect({ status, out: out.text }).toEqual({ status: 1, out: '' });
  expect(err.text).toContain('ECONNREFUSED');
});
