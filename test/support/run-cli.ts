import { Writable } from 'node:stream';
import { runCommandLine } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import type { Environment } from '../../src/config/environment.ts';

export interface CliResult {
  status: 0 | 1 | 2;
  out: string;
  err: string;
}

/** Runs a command line in this process, as no terminal and with nothing but `env` around it. */
export async function runCli(
  argv: readonly string[],
  env: Environment = {},
  signal = new AbortController().signal,
): Promise<CliResult> {
  const out = new Collector();
  const err = new Collector();
  const status = await runCommandLine(argv, {
    terminal: createTerminal(out, err, env),
    environment: env,
    signal,
  });
  return { status, out: out.text, err: err.text };
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}
