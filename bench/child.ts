import { type ChildProcess, type ForkOptions, fork, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const readyPollMs = 25;
const outputCharsMax = 16_384;

/** Every process that the bench has running. */
const running = new Set<ChildProcess>();

/** Kills, each by its own pid, what is still running: for a bench that is broken off. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL');
}

export interface Server {
  pid: number;
  /** Asks it to stop, kills it after `stopTimeoutMs`, and resolves when it is gone. May be called twice. */
  stop(): Promise<void>;
  /** The end of what it has written so far. */
  output(): string;
}

export interface ServerSettings {
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  /** Resolves to whether the server answers; asked until it does. A rejection means "not yet". */
  ready(): Promise<boolean>;
  readyTimeoutMs: number;
  stopTimeoutMs: number;
  stopSignal?: NodeJS.Signals;
}

export async function startServer(settings: ServerSettings): Promise<Server> {
  const { command, args, readyTimeoutMs, stopTimeoutMs, stopSignal = 'SIGTERM' } = settings;
  const child = track(
    spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...environment(settings.env) }),
  );
  const output = collectOutput(child);
  const stop = () => stopChild({ child, signal: stopSignal, timeoutMs: stopTimeoutMs });
  const deadlineMs = performance.now() + readyTimeoutMs;
  while (!(await settings.ready().catch(() => false))) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || performance.now() > deadlineMs) {
      await stop();
      const why = ended
        ? `ended with ${child.exitCode ?? child.signalCode}`
        : `was not ready in ${readyTimeoutMs} ms`;
      throw new Error(`${command} ${args.join(' ')} ${why}:\n${output()}`);
    }
    await delay(readyPollMs);
  }
  if (child.pid === undefined) throw new Error(`${command} could not be started`);
  return { pid: child.pid, stop, output };
}

/** Runs a command to its end; its standard output, or an error with what it wrote. */
export async function runToEnd(options: {
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  timeoutMs: number;
}): Promise<string> {
  const { command, args, env, cwd, timeoutMs } = options;
  const spawnOptions: SpawnOptions = {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    ...environment(env),
  };
  const child = track(spawn(command, args, cwd === undefined ? spawnOptions : { ...spawnOptions, cwd }));
  const output = collectOutput(child);
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${output()}`);
  return output();
}

/** A TypeScript file as a process of its own that is spoken to by messages. */
export function forkScript(file: URL, argument: unknown): ChildProcess {
  const options: ForkOptions = {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  };
  return track(fork(file, [JSON.stringify(argument)], options));
}

export async function stopChild(options: {
  child: ChildProcess;
  signal: NodeJS.Signals;
  timeoutMs: number;
}): Promise<void> {
  const { child, signal, timeoutMs } = options;
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const killing = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await gone;
  clearTimeout(killing);
}

function track(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

function environment(env: NodeJS.ProcessEnv | undefined): { env?: NodeJS.ProcessEnv } {
  return env ? { env: { ...process.env, ...env } } : {};
}

function collectOutput(child: ChildProcess): () => string {
  let output = '';
  const add = (chunk: Buffer) => {
    output = (output + chunk).slice(-outputCharsMax);
  };
  child.stdout?.on('data', add);
  child.stderr?.on('data', add);
  child.once('error', (error) => {
    output += error.message;
  });
  return () => output;
}
