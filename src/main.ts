#!/usr/bin/env node
import type { CommandContext } from './cli/command-context.ts';
import { Failure } from './cli/failure.ts';
import { outputFailed } from './cli/output-failed.ts';
import { runCommandLine } from './cli/program.ts';
import { createTerminal } from './cli/terminal.ts';
import { environment } from './config/environment.ts';

const stop = new AbortController();
for (const [name, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
] as const) {
  process.on(name, () => {
    // The first asks to end well, the second does not wait for it.
    if (stop.signal.aborted) process.exit(128 + number);
    stop.abort(new Failure(`stopped by ${name}`));
  });
}

process.stdout.on('error', (error) => process.exit(outputFailed(error, process.stderr)));

const env = environment();
const context: CommandContext = {
  terminal: createTerminal(process.stdout, process.stderr, env),
  environment: env,
  input: process.stdin,
  signal: stop.signal,
};
/** What still holds the process up after its command has ended is not waited for any longer. */
const lingerMaxMs = 2_000;

process.exitCode = await runCommandLine(process.argv.slice(2), context);
setTimeout(() => process.exit(), lingerMaxMs).unref();
