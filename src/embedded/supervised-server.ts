import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { EmbeddedError } from './embedded-error.ts';
import { type Account, programEnvironment, spawnIdentity } from './run-program.ts';

export interface SupervisedServer {
  /** Process id of the server itself. */
  pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<void>;
  hasEnded(): boolean;
  /** Lets this process end although the server runs. */
  unref(): void;
  /** Ends the server: disconnects its clients and writes a checkpoint. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts a server, and beside it a shell that reads a pipe which only this process holds open for writing:
 * when this process ends, even by SIGKILL, the pipe ends and the shell stops the server. `stop` closes the
 * same pipe. Server and shells have a session of their own, so that Ctrl-C reaches Millrace alone.
 *
 * The shell that waits ends with the server; that is how this process learns of the server's end.
 */
const supervisor = `
exec 3<&0
"$@" </dev/null >&2 3<&- &
server=$!
( exec >&2; read -r never <&3; kill -INT "$server" ) &
watcher=$!
echo "$server"
exec >&2 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;

/** A checkpoint of all buffers to a slow disk; after that the server ends without one. */
const stopFastMs = 60_000;
const stopImmediateMs = 15_000;
const spawnMs = 10_000;

/** @throws EmbeddedError `start_failed` when the shell cannot be started; the server itself may still fail later. */
export async function startSupervised(settings: {
  file: string;
  args: readonly string[];
  account: Account | undefined;
  /** Takes what the server says before its own log is open. */
  logPath: string;
}): Promise<SupervisedServer> {
  const { file, args, account, logPath } = settings;
  const log = openSync(logPath, 'w', 0o600);
  const shell = spawn('/bin/sh', ['-c', supervisor, 'millrace-postgres', file, ...args], {
    cwd: '/',
    env: programEnvironment,
    detached: true,
    stdio: ['pipe', 'pipe', log],
    ...spawnIdentity(account),
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    shell.once('exit', () => resolve());
    shell.once('error', () => resolve());
  });
  // A pipe whose shell has ended already: `ended` tells that.
  shell.stdin?.on('error', () => {});
  const pid = await readPid(shell);
  let over = false;
  void ended.then(() => {
    over = true;
    // Were only the shell killed, the watcher would still be waiting for this.
    shell.stdin?.end();
  });
  return {
    pid,
    ended,
    hasEnded: () => over,
    unref: () => unref(shell),
    async stop() {
      shell.ref();
      shell.stdin?.end();
      if (await within(stopFastMs, ended)) return;
      signalServer(pid, 'SIGQUIT');
      if (await within(stopImmediateMs, ended)) return;
      throw new EmbeddedError('stop_failed', `PostgreSQL (process ${pid}) does not stop`);
    },
  };
}

async function readPid(shell: ChildProcess): Promise<number> {
  try {
    const [chunk] = await once(shell.stdout!, 'data', { signal: AbortSignal.timeout(spawnMs) });
    shell.stdout!.destroy();
    return Number.parseInt(String(chunk), 10);
  } catch (cause) {
    shell.stdin?.end();
    throw new EmbeddedError('start_failed', 'PostgreSQL could not be started: no shell to watch over it', {
      cause,
    });
  }
}

function unref(shell: ChildProcess): void {
  shell.unref();
  // A child's pipes are sockets, which the types do not tell.
  (shell.stdin as unknown as { unref(): void }).unref();
}

/** Whether `event` came in time. */
async function within(ms: number, event: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([event.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

function signalServer(pid: number, signal: 'SIGQUIT'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
