import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { processData } from './process-data.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The program that users run: the built one, which also starts far sooner than the sources by way of a loader. */
export function builtMain(): string {
  if (!existsSync(main)) throw new Error('there is no dist: run `npm run build` first');
  return main;
}

/** A machine that is busy with other work starts a server many times slower. */
const startMs = 120_000;

/** A Millrace process as users run it: the built one. */
export interface MillraceProcess {
  url: string;
  pid: number;
  child: ChildProcess;
  /** Asks it to end and resolves to its exit status. */
  stop(): Promise<number | null>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();

/**
 * Starts `millrace <arguments> --json` and waits until it announces its address; `onLine` hears each line that it writes to
 * stdout, `onError` what it writes to stderr.
 * `program` is the main file of another build.
 */
export async function startProcess(
  args: readonly string[],
  env: Record<string, string> = {},
  {
    onLine = () => {},
    onError,
    program = builtMain(),
  }: { onLine?: (line: string) => void; onError?: (text: string) => void; program?: string } = {},
): Promise<MillraceProcess> {
  const child = spawn(process.execPath, [program, ...args, '--json'], {
    // The channel is the lifeline of one that is started with --stop-with-parent.
    stdio: ['ignore', 'pipe', onError ? 'pipe' : 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, MILLRACE_DATA: processData(), ...env },
  });
  if (onError) child.stderr!.setEncoding('utf8').on('data', onError);
  running.add(child);
  child.once('exit', () => running.delete(child));
  const { url } = await announcement(child, { args, onLine });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  return {
    url,
    pid: child.pid!,
    child,
    async stop() {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Ends what a failed test left behind. */
export function killProcesses(): void {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
}

/** The first line on stdout that has an address; log lines come on stdout as well. */
async function announcement(
  child: ChildProcess,
  { args, onLine }: { args: readonly string[]; onLine: (line: string) => void },
): Promise<{ url: string }> {
  const lines = createInterface({ input: child.stdout! });
  const signal = AbortSignal.timeout(startMs);
  return await new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`millrace ${args.join(' ')} ${why}`));
    signal.addEventListener('abort', () => fail('did not start in time'));
    child.once('exit', (status) => fail(`ended with status ${status}`));
    lines.on('line', (line) => {
      onLine(line);
      // A server without an API announces no address.
      const said = line.startsWith('{') ? (JSON.parse(line) as { url?: string | null }) : {};
      if (said.url !== undefined) resolve({ url: said.url ?? '' });
    });
  });
}
