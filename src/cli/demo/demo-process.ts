import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Environment } from '../../config/environment.ts';
import { Failure } from '../failure.ts';

export interface DemoProcess {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Rejects when the process ends without being asked to. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

/** The first start makes a database cluster, which takes seconds on a slow disk. */
const startMaxMs = 120_000;
/** A little more than `serve` gives itself. */
const stopMaxMs = 35_000;
const logLinesShown = 15;

/** Starts another Millrace process of the same program and waits for the address that it announces with `--json`. */
export async function startDemoProcess(settings: {
  name: string;
  args: readonly string[];
  logFile: string;
  env: Environment;
}): Promise<DemoProcess> {
  const { name, args, logFile, env } = settings;
  const log = openSync(logFile, 'a');
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1]!, ...args, '--json', '--stop-with-parent'],
    {
      stdio: ['ignore', 'pipe', log, 'ipc'],
      env: withoutMillrace(env),
    },
  );
  child.once('close', () => closeSync(log));
  let stopping = false;
  const exit = once(child, 'exit');
  const ended = exit.then(([status, signal]): never => {
    if (stopping) return undefined as never;
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-logLinesShown).join('\n');
    throw new Failure(
      `the ${name} ended by itself (${signal ?? `status ${status}`}); its last words:\n${lines}`,
    );
  });
  // Whoever awaits it hears of it; until then it must not count as unhandled.
  ended.catch(() => {});
  const url = await Promise.race([readUrl(child, { name, log }), ended]);
  return {
    name,
    url,
    pid: child.pid!,
    ended,
    async stop() {
      if (stopping || child.exitCode !== null || child.signalCode !== null) return;
      stopping = true;
      // Not a signal: after Ctrl-C it would be the second one, which cuts the graceful stop short.
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMaxMs);
      await exit;
      clearTimeout(timer);
    },
  };
}

/** The demonstration runs on its own data: no database, key or option of the surroundings may reach it. */
function withoutMillrace(env: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MILLRACE_')));
}

/** The rest of its output is its log. */
async function readUrl(child: ChildProcess, { name, log }: { name: string; log: number }): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const url = urlIn(line);
        if (url === undefined) writeSync(log, `${line}\n`);
        else resolve(url);
      });
      timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Failure(`the ${name} was not up within ${startMaxMs / 1_000} s`));
      }, startMaxMs);
    });
  } finally {
    clearTimeout(timer);
  }
}

function urlIn(line: string): string | undefined {
  try {
    const { url } = JSON.parse(line) as { url?: unknown };
    return typeof url === 'string' ? url : undefined;
  } catch {
    return undefined;
  }
}
