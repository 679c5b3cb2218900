import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { runCli } from '../support/run-cli.ts';
import {
  answerJson,
  answerProblem,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';
import { TerminalStream } from '../support/terminal-stream.ts';

const counts = { accepted: 10, rejected: 0, queued: 0, sending: 0, retrying: 0 };
const batch = (state: string, sent: number) => ({
  id: 'b',
  state,
  closedAt: '2026-01-01T00:00:00Z',
  counts: {
    ...counts,
    queued: 10 - sent,
    sent,
    delivered: 0,
    failed: 0,
    expired: 0,
    canceled: 0,
    suppressed: 0,
  },
});

it('says that it waits while the server is away, and goes on when it is back', async () => {
  const first = await startScriptedServer((_, response) => {
    answerJson(response, 200, batch('delivering', 5), { connection: 'close' });
    response.once('close', () => void first.stop());
  });
  let second: Promise<ScriptedServer> | undefined;
  // Back only when the watcher has met the closed port; it is starting at first.
  const err = new Lines((line) => {
    if (line.includes('waiting for the server')) second ??= restart(first.url);
  });
  const out = new Lines();
  const environment = { MILLRACE_URL: first.url, MILLRACE_KEY: 'k' };
  const status = await runCommandLine(['batch', 'watch', 'b'], {
    terminal: createTerminal(out, err, environment),
    environment,
    signal: AbortSignal.timeout(20_000),
  });
  await (await second)?.stop();
  expect(err.text).toMatch(
    /^batch b is delivering: 5 of 10 finished\nno connection to .* \(ECONNREFUSED\); waiting for the server\n$/,
  );
  expect({ status, out: out.text }).toEqual({ status: 0, out: 'batch b is done: 10 accepted, 10 sent\n' });
});

function restart(url: string): Promise<ScriptedServer> {
  let starting = 2;
  return startScriptedServer(
    (_, response) => {
      if (starting-- > 0) answerProblem(response, 503, 'unavailable');
      else answerJson(response, 200, batch('done', 10));
    },
    Number(new URL(url).port),
  );
}

it('tells how far it is by a line where there is no terminal, and the end', async () => {
  let asked = 0;
  const server = await startScriptedServer((_, response) => {
    asked++;
    const held = { route: 'sms', routePaused: true };
    answerJson(response, 200, asked < 3 ? { ...batch('delivering', 4 + asked), ...held } : batch('done', 10));
  });
  const env = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
  const watched = await runCli(['batch', 'watch', 'b'], env);
  await server.stop();
  // The change a moment later is not worth a line.
  expect(watched).toEqual({
    status: 0,
    out: 'batch b is done: 10 accepted, 10 sent\n',
    err: 'batch b is delivering: 5 of 10 finished, and route sms is paused\n',
  });
});

it('with --json tells the batch in a line at each change, once a second at most, and at its end', async () => {
  const seen = [1, 1, 2, 2, 3].map((sent) => batch('delivering', sent));
  const server = await startScriptedServer((_, response) =>
    answerJson(response, 200, seen.shift() ?? batch('done', 10)),
  );
  const startedAtMs = performance.now();
  const { status, out, err } = await runCli(['batch', 'watch', 'b', '--json'], {
    MILLRACE_URL: server.url,
    MILLRACE_KEY: 'k',
  });
  const seconds = (performance.now() - startedAtMs) / 1_000;
  await server.stop();
  expect({ status, err }).toEqual({ status: 0, err: '' });
  const told = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(told[0]).toEqual(batch('delivering', 1));
  expect(told.at(-1)).toEqual(batch('done', 10));
  const sent = told.map(({ counts: { sent } }) => sent);
  expect(sent).toEqual([...new Set(sent)]);
  expect(told.length).toBeGreaterThan(2);
  expect(told.length).toBeLessThanOrEqual(2 + seconds);
});

it('tells on a terminal of an open batch, which has no bar yet, and beside the bar why nothing moves', async () => {
  const answers = [
    { ...batch('delivering', 5), closedAt: null },
    { ...batch('paused', 5) },
    { ...batch('delivering', 5), route: 'sms', routePaused: true },
  ];
  const server = await startScriptedServer((_, response) =>
    answerJson(response, 200, answers.shift() ?? batch('done', 10)),
  );
  const err = new TerminalStream();
  const out = new Lines();
  const environment = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
  const status = await runCommandLine(['batch', 'watch', 'b'], {
    terminal: createTerminal(out, err, environment),
    environment,
    signal: AbortSignal.timeout(20_000),
  });
  await server.stop();
  expect({ status, out: out.text }).toEqual({ status: 0, out: 'batch b is done: 10 accepted, 10 sent\n' });
  expect(err.text).toMatch(/^batch b is delivering: 5 of 10 finished\n/);
  expect(err.text).toMatch(/ 50% {2}5\/10 {2}the batch is paused.* 50% {2}5\/10 {2}route sms is paused/s);
  expect(err.text).toMatch(/ 100% {2}10\/10/);
});

it('does not wait for a server that was not there when it began', async () => {
  const gone = await startScriptedServer(() => {});
  await gone.stop();
  const env = { MILLRACE_URL: gone.url, MILLRACE_KEY: 'k' };
  expect(await runCli(['batch', 'watch', 'b'], env)).toMatchObject({ status: 1 });
});

it('does not wait for what will not pass', async () => {
  let asked = 0;
  const server = await startScriptedServer((_, response) =>
    asked++ === 0
      ? answerJson(response, 200, batch('delivering', 5))
      : answerProblem(response, 401, 'unauthorized'),
  );
  const env = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
  const { status, err } = await runCli(['batch', 'watch', 'b'], env);
  await server.stop();
  expect({ status, err }).toMatchObject({ status: 1, err: expect.stringContaining('(unauthorized)') });
});

class Lines extends Writable {
  text = '';
  readonly #onLine: (line: string) => void;

  constructor(onLine: (line: string) => void = () => {}) {
    super();
    this.#onLine = onLine;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    this.#onLine(chunk.toString());
    done();
  }
}
