import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { runCli } from '../support/run-cli.ts';
import { answerJson, type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';
import { builtMain } from '../support/start-process.ts';

let server: ScriptedServer;
let env: { MILLRACE_URL: string; MILLRACE_KEY: string };

beforeAll(async () => {
  server = await startScriptedServer((request, response) => {
    const lists: Record<string, object[]> = {
      '/v1/routes': [{ name: 'sms' }, { name: 'smtp' }],
      '/v1/batches': [{ id: '0190c6f0-7b3a-7c11-9b0d-2f5a6c7d8000' }],
      '/v1/templates': [{ name: 'welcome' }],
      '/v1/webhooks': [{ name: 'billing' }],
    };
    answerJson(response, 200, { data: lists[request.url!.split('?')[0]!], next: null });
  });
  env = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
});

afterAll(() => server.stop());

async function words(...typed: string[]): Promise<string[]> {
  const { status, out, err } = await runCli(['completion', 'words', '--', ...typed], env);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return out.split('\n').filter(Boolean);
}

it('completes commands, options, choices, and what the server has', async () => {
  expect(await words('ro')).toEqual(['route']);
  expect(await words('route', 'pa')).toEqual(['pause']);
  expect(await words('route', 'pause', 'sm')).toEqual(['sms', 'smtp']);
  expect(await words('send', 'file.csv', '--route', 'smt')).toEqual(['smtp']);
  expect(await words('batch', 'watch', '')).toEqual(['0190c6f0-7b3a-7c11-9b0d-2f5a6c7d8000']);
  expect(await words('template', 'show', '')).toEqual(['welcome']);
  expect(await words('template', 'create', '')).toEqual([]);
  expect(await words('send', 'file.csv', '--template', '')).toEqual(['welcome']);
  expect(await words('webhook', 'rotate', 'b')).toEqual(['billing']);
  expect(await words('batch', 'list', '--li')).toEqual(['--limit']);
  expect(await words('completion', '')).toContain('fish');
  expect(await words('completion', '')).not.toContain('words');
  // A file is meant: the shell knows those.
  expect(await words('send', '')).toEqual([]);
  expect(await words('no-such-command', '')).toEqual([]);
});

it('completes commands while the server is away', async () => {
  const away = { MILLRACE_URL: 'http://127.0.0.1:1', MILLRACE_KEY: 'k' };
  const { status, out } = await runCli(['completion', 'words', '--', 'route', 'pause', ''], away);
  expect({ status, out }).toEqual({ status: 0, out: '' });
});

it('its script makes bash complete', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-completion-'));
  try {
    const shim = join(directory, 'millrace');
    await writeFile(shim, `#!/bin/sh\nexec ${process.execPath} ${builtMain()} "$@"\n`);
    await chmod(shim, 0o755);
    const { out: script } = await runCli(['completion', 'bash']);
    const typed = 'COMP_WORDS=(millrace route pause sm); COMP_CWORD=3; _millrace; declare -p COMPREPLY';
    const { stdout } = await promisify(execFile)('bash', ['-c', `${script}\n${typed}`], {
      env: { ...env, PATH: `${directory}:${process.env.PATH}` },
      timeout: 60_000,
    });
    expect(stdout).toBe('declare -a COMPREPLY=([0]="sms" [1]="smtp")\n');
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('every command but help takes --json, and none a shell that nobody has', async () => {
  const terminal = createTerminal(process.stdout, process.stderr, {});
  const program = createProgram({ terminal, environment: {}, signal: new AbortController().signal });
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const without = leaves(program).filter(({ options }) => !options.some(({ long }) => long === '--json'));
  expect(new Set(without.map((command) => command.name()))).toEqual(new Set(['help']));
  expect((await runCli(['completion', 'tcsh'])).status).toBe(2);
});
