import { stat } from 'node:fs/promises';
import { EmbeddedError } from './embedded-error.ts';
import { type Account, runProgram } from './run-program.ts';

/** macOS and the BSDs put an underscore before the names of service users. */
const accountNames = ['millrace', 'postgres', '_postgres'];
const commandTimeoutMs = 10_000;

/**
 * Whom PostgreSQL runs as: ourselves (undefined), unless we are root, which it refuses. Then it is whoever
 * owns the cluster already, else an account made for the purpose, else a new system user, else `nobody`.
 */
export async function chooseAccount(settings: {
  clusterDir: string;
  log: (message: string) => void;
}): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await ownerOf(settings.clusterDir);
  if (owner) return owner;
  for (const name of accountNames) {
    const account = await lookUp(name);
    if (account) return account;
  }
  const created = await createAccount('millrace');
  if (created) {
    settings.log('made the system user "millrace": PostgreSQL does not run as root');
    return created;
  }
  const nobody = await lookUp('nobody');
  if (nobody) return nobody;
  throw new EmbeddedError(
    'start_failed',
    'PostgreSQL does not run as root, and this system has no user "millrace", "postgres" or "nobody" for it. ' +
      'Make one (useradd --system millrace), run Millrace as an ordinary user, or give it a database with --database.',
  );
}

/** A cluster keeps its owner, so that it also opens when accounts come and go, or a user's data is served by root. */
async function ownerOf(clusterDir: string): Promise<Account | undefined> {
  const found = await stat(clusterDir).catch(() => undefined);
  if (!found || found.uid === 0) return undefined;
  const { status, output } = await id('-un', String(found.uid));
  return { name: status === 0 ? output : `uid ${found.uid}`, uid: found.uid, gid: found.gid };
}

async function lookUp(name: string): Promise<Account | undefined> {
  const [uid, gid] = await Promise.all([id('-u', name), id('-g', name)]);
  if (uid.status !== 0 || gid.status !== 0) return undefined;
  return { name, uid: Number(uid.output), gid: Number(gid.output) };
}

function id(option: string, name: string) {
  return runProgram({ file: 'id', args: [option, name], timeoutMs: commandTimeoutMs });
}

async function createAccount(name: string): Promise<Account | undefined> {
  await runProgram({
    file: 'useradd',
    args: ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', name],
    timeoutMs: commandTimeoutMs,
  });
  // Looked up whatever the status: another start may have made it a moment earlier.
  return lookUp(name);
}
