import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export interface Held {
  /** The process that started the server. */
  parent: ChildProcess;
  url: string;
  pid: number;
}

export interface Failure {
  error: { code?: string; message: string };
}

interface HolderOptions {
  dataDir: string;
  uid?: number;
  gid?: number;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Another copy of hold-server.ts. */
  script?: string;
}

/** Generous: a first start writes a thousand files to disk, beside whatever else the machine does. */
const startMs = 100_000;
const holdServer = fileURLToPath(new URL('./hold-server.ts', import.meta.url));
const tsx = import.meta.resolve('tsx');

/** Starts an embedded server from a process of its own, which is ended with the test. */
export async function startHolder(options: HolderOptions): Promise<Held> {
  const outcome = await tryHolder(options);
  if ('error' in outcome) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  return outcome;
}

export async function tryHolder(options: HolderOptions): Promise<Held | Failure> {
  const { dataDir, script = holdServer, env, ...rest } = options;
  const parent = spawn(process.execPath, ['--import', tsx, script, dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
    env: { ...process.env, ...env },
    ...rest,
  });
  onTestFinished(async () => {
    parent.stdin.end();
    if (parent.exitCode === null && parent.signalCode === null) await once(parent, 'exit');
  });
  const lines = createInterface({ input: parent.stdout });
  const [line] = await Promise.race([
    once(lines, 'line', { signal: AbortSignal.timeout(startMs) }),
    once(parent, 'close').then(([status]) => {
      throw new Error(`ended without a word, status ${status}; its errors are above`);
    }),
  ]);
  const said = JSON.parse(line);
  return 'error' in said ? said : { parent, ...said };
}
