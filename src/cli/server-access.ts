import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, createClient } from '../client/client.ts';
import { defaultDataDirectory } from '../config/default-data-directory.ts';
import type { CommandContext } from './command-context.ts';
import { Failure, usageFailure } from './failure.ts';

export interface ServerFlags {
  url?: string;
  data?: string;
}

/** What a running server writes to `server.json` in its data directory. */
interface ServerFile {
  url: string;
  pid: number;
}

/**
 * A client for the server that is meant: `--url`, else the local server of `--data`, else MILLRACE_URL, else the
 * local server of MILLRACE_DATA or the default. Its key is `admin.key` of `--data`, else MILLRACE_KEY, else
 * `admin.key` of MILLRACE_DATA or the default.
 */
export function connect(context: CommandContext, flags: ServerFlags): Client {
  const { environment } = context;
  const usual = environment.MILLRACE_DATA || defaultDataDirectory();
  const url =
    flags.url ??
    (flags.data === undefined ? environment.MILLRACE_URL || localUrl(usual) : localUrl(flags.data));
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw usageFailure(
      `${JSON.stringify(url)} is not the URL of a server; it looks like http://127.0.0.1:8080`,
    );
  }
  const named = flags.data === undefined ? undefined : localKey(flags.data);
  const key = named ?? (environment.MILLRACE_KEY || localKey(usual));
  if (!key) throw noKey(flags.data ?? usual);
  return createClient({
    url,
    key,
    userAgent: 'millrace-cli',
    retryUnreachable: false,
    signal: context.signal,
  });
}

function readServerFile(dataDirectory: string): ServerFile | undefined {
  const content = readIfThere(join(dataDirectory, 'server.json'));
  if (content === undefined) return undefined;
  try {
    const { url, pid } = JSON.parse(content) as Partial<ServerFile>;
    return typeof url === 'string' && typeof pid === 'number' ? { url, pid } : undefined;
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

function localKey(dataDirectory: string): string | undefined {
  return readIfThere(join(dataDirectory, 'admin.key'))?.trim() || undefined;
}

function noKey(dataDirectory: string): Failure {
  return new Failure(`no API key: MILLRACE_KEY is not set, and there is no admin.key in ${dataDirectory}`, {
    hint: 'Set MILLRACE_KEY; the server wrote its first key to admin.key in its data directory.',
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Failure(`${path} cannot be read: ${(error as Error).message}`, {
      hint: 'Run the command as the user that runs the server, or set MILLRACE_URL and MILLRACE_KEY.',
    });
  }
}
