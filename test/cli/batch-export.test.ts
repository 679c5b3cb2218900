import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { answerJson, startScriptedServer } from '../support/scripted-server.ts';
import { TerminalStream } from '../support/terminal-stream.ts';

it('tells where the export is below its bar, on a terminal that shows both', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-export-'));
  const line = '{"id":"m"}\n';
  const sha256 = createHash('sha256').update(line).digest('hex');
  const server = await startScriptedServer((request, response) => {
    if (!request.url!.includes('/export')) answerJson(response, 200, { id: 'b', counts: { accepted: 1 } });
    else response.end(`${line}${JSON.stringify({ trailer: { count: 1, sha256 } })}\n`);
  });
  const screen = new TerminalStream();
  const environment = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
  const path = join(directory, 'out.ndjson');
  try {
    const status = await runCommandLine(['batch', 'export', 'b', '-o', path], {
      terminal: createTerminal(screen, screen, { NO_COLOR: '1' }),
      environment,
      signal: AbortSignal.timeout(20_000),
    });
    expect(status).toBe(0);
    expect(screen.text).toMatch(/exported +█+ 100% {2}1\/1.*\n1 messages? written to .*out\.ndjson\n$/s);
    expect(await readFile(path, 'utf8')).toContain(line);
  } finally {
    await server.stop();
    await rm(directory, { recursive: true });
  }
});
