import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { runCli } from '../support/run-cli.ts';
import { answerJson, startScriptedServer } from '../support/scripted-server.ts';
import { TerminalStream } from '../support/terminal-stream.ts';

it('a table is cut to the width of a terminal, and whole where it is piped and as JSON', async () => {
  const url = `https://example.com/${'x'.repeat(300)}`;
  const server = await startScriptedServer((_, response) =>
    answerJson(response, 200, { data: [{ id: 'ID', name: 'billing', url, state: 'enabled' }], next: null }),
  );
  const environment = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
  const onTerminal = async (...more: string[]) => {
    const out = new TerminalStream();
    const terminal = createTerminal(out, new TerminalStream(), environment);
    const signal = AbortSignal.timeout(20_000);
    await runCommandLine(['webhook', 'list', ...more], { terminal, environment, signal });
    return out.text;
  };
  const cut = await onTerminal();
  const json = await onTerminal('--json');
  const piped = await runCli(['webhook', 'list'], environment);
  await server.stop();
  expect(Math.max(...cut.split('\n').map((line) => line.length))).toBe(new TerminalStream().columns);
  expect(cut).toMatch(/https:\/\/example\.com\/x+… {2}enabled\n$/);
  expect(json).toContain(url);
  expect(piped.out).toContain(url);
});
