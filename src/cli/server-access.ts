import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, type ClientOptions, createClient } from '../client/client.ts';
import { readServerUrl } from '../client/server-url.ts';
import { defaultDataDirectory } from '../config/default-data-directory.ts';
import type { NamedDatabase } from '../config/without-secrets.ts';
import { fileFault } from '../lib/file-fault.ts';
import type { CommandContext } from './command-context.ts';
import { Failure, usageFailure } from './failure.ts';

export interface ServerFlags {
  url?: string;
  data?: string;
}

/** What commands have that act for another account than the key's (`withAccount`). */
export interface AccountFlags extends ServerFlags {
  account?: string;
}

/** What a running server writes to `server.json` in its data directory. */
interface ServerFile {
  url: string;
  pid: number;
  /** Absent where it is the embedded one. */
  database?: NamedDatabase;
}

/**
 * A client for the server that is meant: `--url`, else the local server of `--data`, else MILLRACE_URL, else the
 * local server of MILLRACE_DATA or the default. Its key is `admin.key` of `--data`, else MILLRACE_KEY, else
 * `admin.key` of MILLRACE_DATA or the default; an `admin.key` goes to no other machine than the one it administers.
 * With an account it asks for what is that account's.
 */
export function connect(
  context: CommandContext,
  flags: AccountFlags,
  options: Pick<ClientOptions, 'connectionsMax'> = {},
): Client {
  return createClient({
    ...options,
    ...findServer(context, flags),
    account: flags.account,
    userAgent: 'millrace-cli',
    retryUnreachable: false,
    signal: context.signal,
  });
}

/** The server that is meant, and the key for it, as above. */
export function findServer(
  { environment }: CommandContext,
  flags: ServerFlags,
): { url: string; key: string } {
  const usual = environment.MILLRACE_DATA || defaultDataDirectory();
  const url =
    flags.url ??
    (flags.data === undefined ? environment.MILLRACE_URL || localUrl(usual) : localUrl(flags.data));
  try {
    readServerUrl(url);
  } catch (error) {
    throw usageFailure((error as Error).message);
  }
  const named = flags.data === undefined ? undefined : localKey(flags.data, url);
  const key = named ?? (environment.MILLRACE_KEY || localKey(usual, url));
  if (!key) throw noKey(flags.data ?? usual, url);
  return { url, key };
}

/** Undefined where no server runs; what cannot be read as one counts as none. */
export function readServerFile(dataDirectory: string): ServerFile | undefined {
  const content = readIfThere(join(dataDirectory, 'server.json'));
  if (content === undefined) return undefined;
  try {
    const { url, pid, database } = JSON.parse(content) as Partial<ServerFile>;
    if (typeof url !== 'string' || typeof pid !== 'number') return undefined;
    return { url, pid, ...(typeof database?.url === 'string' && { database }) };
  } catch {
    return undefined;
  }
}

function localUrl(dataDirectory: string): string {
  const server = readServerFile(dataDirectory);
  if (server !== undefined) return server.url;
  throw new Failure(`no server was found: there is no server.json in ${dataDirectory}`, {
    hint: 'Start one with: millrace serve. For a server elsewhere set MILLRACE_URL and MILLRACE_KEY.',
  });
}

/** The key in the file, where the server at `url` may see it: whoever learns it administers this installation. */
function localKey(dataDirectory: string, url: string): string | undefined {
  return isLocal(dataDirectory, url) ? keyFile(dataDirectory) : undefined;
}

function isLocal(dataDirectory: string, url: string): boolean {
  const { origin, hostname } = new URL(url);
  // A URL has one spelling of each address: 127.1 has become 127.0.0.1 by now.
  if (/^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(hostname)) return true;
  const own = readServerFile(dataDirectory)?.url;
  return own !== undefined && URL.canParse(own) && new URL(own).origin === origin;
}

function keyFile(dataDirectory: string): string | undefined {
  return readIfThere(join(dataDirectory, 'admin.key'))?.trim() || undefined;
}

function noKey(dataDirectory: string, url: string): Failure {
  if (!isLocal(dataDirectory, url)) {
    return new Failure(`no API key for ${new URL(url).origin}: MILLRACE_KEY is not set`, {
      hint: `Set MILLRACE_KEY to a key of that server: the admin.key in ${dataDirectory} goes to the local server alone.`,
    });
  }
  return new Failure(`no API key: MILLRACE_KEY is not set, and there is no admin.key in ${dataDirectory}`, {
    hint:
      'Set MILLRACE_KEY. A server keeps the first key that it made in admin.key in its data directory; on a database ' +
      'that has a key already it makes none: start it once with MILLRACE_ADMIN_KEY, which then works.',
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Failure(`${path} cannot be read: ${fileFault(error)}`, {
      hint: 'Run the command as the user that runs the server, or set MILLRACE_URL and MILLRACE_KEY.',
    });
  }
}
