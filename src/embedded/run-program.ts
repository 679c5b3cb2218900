import { spawn } from 'node:child_process';

/** An operating-system user that PostgreSQL can run as. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

export interface ProgramRun {
  file: string;
  args: readonly string[];
  /** Whom to run as; left out: as ourselves. */
  account?: Account | undefined;
  input?: string;
  /** The program is killed after this long. */
  timeoutMs: number;
}

export interface ProgramResult {
  /** Exit status; null when the program could not be started or was killed. */
  status: number | null;
  /** The end of what it wrote to stdout and stderr, or why it did not start. */
  output: string;
}

/**
 * Bare on purpose: PGPORT, PGDATA, PGOPTIONS and locale variables of the caller would change what the
 * programs do. macOS needs LC_ALL, or the server refuses to start ("became multithreaded during startup").
 */
export const programEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' };

const outputCharactersMax = 8_192;

/** Runs a program to its end. Never rejects: a program that cannot be started is a result, too. */
export function runProgram(run: ProgramRun): Promise<ProgramResult> {
  // What keeps a program from starting is thrown or emitted, depending on the fault.
  return runOrReject(run).catch((error: Error) => ({ status: null, output: error.message }));
}

export function spawnIdentity(account: Account | undefined): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {};
}

function runOrReject(run: ProgramRun): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(run.file, run.args, {
      // The caller's directory may be closed to the account.
      cwd: '/',
      env: programEnvironment,
      stdio: 'pipe',
      timeout: run.timeoutMs,
      killSignal: 'SIGKILL',
      ...spawnIdentity(run.account),
    });
    const collect = (text: string) => {
      output = (output + text).slice(-outputCharactersMax);
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    // A program that does not read its input closes the pipe; its status tells the rest.
    child.stdin.on('error', () => {});
    child.stdin.end(run.input ?? '');
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output: output.trim() }));
  });
}
