import { chmod, chown, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbeddedError } from './embedded-error.ts';
import { makeDataDirectory } from './make-directory.ts';
import { type Account, type ProgramResult, runProgram } from './run-program.ts';

const probeTimeoutMs = 10_000;

/**
 * Makes the data directory, closed to others, and sees to it that the server's account can pass through it.
 * Our own directory is opened to the account's group for passage only (mode 0710); those above it are the
 * owner's to open, so a closed one is an error that says what to do.
 */
export async function openPassage(dataDir: string, account: Account | undefined): Promise<void> {
  await makeDataDirectory(dataDir);
  if (!account || (await canEnter(dataDir, account))) return;
  await checkSwitch(account);
  const closed = await firstClosed(await realpath(dataDir), account);
  if (closed === (await realpath(dataDir))) {
    const { mode, uid } = await stat(dataDir);
    await chown(dataDir, uid, account.gid);
    await chmod(dataDir, (mode & 0o777) | 0o010);
    if (await canEnter(dataDir, account)) return;
  }
  throw new EmbeddedError(
    'data_unreachable',
    `PostgreSQL does not run as root, and the user "${account.name}" that it runs as cannot enter ${closed}. ` +
      `Choose a data directory outside of it (--data /var/lib/millrace), open it for passage (chmod o+x ${closed}), ` +
      'or run Millrace as an ordinary user.',
  );
}

/** Root without the right to change user (a container that drops CAP_SETUID) can run nothing as the account. */
async function checkSwitch(account: Account): Promise<void> {
  const { status, output } = await enter('/', account);
  if (status === 0) return;
  throw new EmbeddedError(
    'start_failed',
    `PostgreSQL does not run as root, and this root may not switch to the user "${account.name}" (${output}). ` +
      'Run Millrace as an ordinary user, or give it a database with --database.',
  );
}

async function firstClosed(path: string, account: Account): Promise<string> {
  const above = dirname(path);
  if (above === path || (await canEnter(above, account))) return path;
  return firstClosed(above, account);
}

/** Asked by trying: mode bits do not tell of access lists, mount options or security modules. */
async function canEnter(path: string, account: Account): Promise<boolean> {
  return (await enter(path, account)).status === 0;
}

function enter(path: string, account: Account): Promise<ProgramResult> {
  return runProgram({
    file: '/bin/sh',
    args: ['-c', 'cd -- "$1"', 'sh', path],
    account,
    timeoutMs: probeTimeoutMs,
  });
}
