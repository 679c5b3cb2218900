import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineName, Network } from './network.ts';
import type { Tools } from './requirements.ts';
import { runCommand } from './run-command.ts';

const bootMs = 10_000;
const pollMs = 20;
/** The first process: it reaps, and ends with the laboratory, which holds the other end of its input. */
const init = 'cat >/dev/null; exit 0';

export interface Program {
  command: string;
  args: readonly string[];
  /** Run as this user without any right of root; as root when left out. */
  user?: string;
  env?: Record<string, string>;
}

/**
 * A machine: a network namespace and a pid namespace. What is started in it ends with its first process, in one
 * instant, as with a power cut; but for the page cache, which survives: this is no test of fsync.
 */
export class Machine {
  readonly name: MachineName;
  readonly directory: string;
  readonly #tools: Tools;
  readonly #network: Network;
  #initPid: number | undefined;
  #holder: ChildProcess | undefined;
  readonly #programs = new Map<string, ChildProcess>();

  constructor(options: { name: MachineName; directory: string; tools: Tools; network: Network }) {
    const { name, directory, tools, network } = options;
    this.name = name;
    this.directory = directory;
    this.#tools = tools;
    this.#network = network;
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  }

  get address(): string {
    return this.#network.addressOf(this.name);
  }

  get running(): boolean {
    return this.#initPid !== undefined;
  }

  async boot(): Promise<void> {
    const { ip, unshare } = this.#tools.programs;
    const namespace = this.#network.namespaceOf(this.name);
    // In a session of its own: Ctrl-C is for the laboratory, which then ends its machines.
    const holder = spawn(
      ip,
      [
        'netns',
        'exec',
        namespace,
        unshare,
        '--pid',
        '--fork',
        '--mount-proc',
        '--kill-child',
        'sh',
        '-c',
        init,
      ],
      { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
    );
    holder.on('error', () => {});
    holder.stdin!.on('error', () => {});
    this.#holder = holder;
    const deadline = performance.now() + bootMs;
    while (this.#initPid === undefined) {
      if (holder.exitCode !== null || performance.now() > deadline)
        throw new Error(`${this.name} does not boot`);
      this.#initPid = await this.hostPid(1).catch(() => undefined);
      if (this.#initPid === undefined) await sleep(pollMs);
    }
  }

  /** Everything in it ends at once, and its cable is dead: nobody is told. */
  async powerOff(): Promise<void> {
    await this.#network.cut(this.name);
    await this.halt();
  }

  async powerOn(): Promise<void> {
    await this.boot();
    await this.#network.mend(this.name);
  }

  /** Ends everything in it. May be called twice. */
  async halt(): Promise<void> {
    const [holder, pid] = [this.#holder, this.#initPid];
    this.#initPid = undefined;
    this.#programs.clear();
    if (!holder || pid === undefined || holder.exitCode !== null || holder.signalCode !== null) return;
    const gone = once(holder, 'exit');
    process.kill(pid, 'SIGKILL');
    await gone;
  }

  /** Starts a program whose output goes to `<name>.log` in the machine's directory. */
  start(name: string, { command, args, user, env = {} }: Program): void {
    const { nsenter, setpriv } = this.#tools.programs;
    if (this.#initPid === undefined) throw new Error(`${this.name} is off`);
    const log = openSync(join(this.directory, `${name}.log`), 'a');
    const as = user
      ? [setpriv, `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--inh-caps=-all']
      : [];
    const child = spawn(nsenter, [...this.#inside(), ...as, command, ...args], {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: '/',
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', ...env },
    });
    child.on('error', () => {});
    closeSync(log);
    this.#programs.set(name, child);
  }

  /** kill -9 of a program that `start` started; what it has started itself lives on. */
  async kill(name: string): Promise<void> {
    const entered = this.#programs.get(name);
    if (entered?.pid === undefined) throw new Error(`${name} does not run on ${this.name}`);
    const pids = await this.#pids();
    const pid = pids.find((candidate) => statusOf(candidate)?.parent === entered.pid);
    if (pid === undefined) throw new Error(`${name} has ended on ${this.name}`);
    const gone = once(entered, 'exit');
    process.kill(pid, 'SIGKILL');
    await gone;
    this.#programs.delete(name);
  }

  /** The pid that the host knows a process of this machine by. */
  async hostPid(insidePid: number): Promise<number> {
    for (const pid of await this.#pids()) {
      const status = statusOf(pid);
      if (status && status.pids.length > 1 && status.pids.at(-1) === insidePid) return pid;
    }
    throw new Error(`${this.name} has no process ${insidePid}`);
  }

  /** The pids of everything that runs in it, as the host knows them. */
  async #pids(): Promise<number[]> {
    const { ip } = this.#tools.programs;
    const out = await runCommand(ip, ['netns', 'pids', this.#network.namespaceOf(this.name)]);
    return out.split('\n').filter(Boolean).map(Number);
  }

  pids(): Promise<number[]> {
    return this.#pids();
  }

  #inside(): string[] {
    return ['-t', String(this.#initPid), '-n', '-p', '-m'];
  }
}

function statusOf(pid: number): { parent: number; pids: number[] } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const parent = Number(/^PPid:\s+(\d+)/m.exec(text)?.[1]);
    const pids = /^NSpid:\s+(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/).map(Number) ?? [];
    return { parent, pids };
  } catch {
    return undefined;
  }
}
