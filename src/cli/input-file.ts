import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';
import { fileFault } from '../lib/file-fault.ts';
import { Failure, usageFailure } from './failure.ts';

/** A file of messages, as far as it can be known before it is sent. */
export interface InputFile {
  path: string;
  format: 'ndjson' | 'csv';
  gzip: boolean;
  bytes: number;
  changedAtMs: number;
}

/** Enough to see what kind of file it is. */
const headBytes = 4_096;

/** Format from `format`, else the name's ending, else the first bytes; gzip always from the first bytes. */
export async function inspectFile(path: string, format: 'ndjson' | 'csv' | undefined): Promise<InputFile> {
  const { size, mtimeMs, head } = await readHead(path);
  if (size === 0) throw new Failure(`${path} is empty`);
  const gzip = head[0] === 0x1f && head[1] === 0x8b;
  const found = format ?? formatByName(path) ?? formatByContent(path, gzip ? unpackHead(path, head) : head);
  return { path, format: found, gzip, bytes: size, changedAtMs: mtimeMs };
}

/** SHA-256 of the whole file, in hex. `onBytes` is told how much was read. */
export async function hashFile(
  path: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of createReadStream(path, {
    highWaterMark: 1_048_576,
    signal,
  }) as AsyncIterable<Buffer>) {
    hash.update(part);
    bytes += part.length;
    onBytes(bytes);
  }
  return hash.digest('hex');
}

/** What was hashed must be what was sent. */
export async function hasChanged({ path, bytes, changedAtMs }: InputFile): Promise<boolean> {
  const now = await stat(path);
  return now.size !== bytes || now.mtimeMs !== changedAtMs;
}

async function readHead(path: string): Promise<{ size: number; mtimeMs: number; head: Buffer }> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${fileFault(error)}`);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) {
      throw usageFailure(
        `${path} is not a regular file`,
        'Write the lines to a file first: only a file can be resumed.',
      );
    }
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await file.read(head, 0, headBytes, 0);
    return { size: found.size, mtimeMs: found.mtimeMs, head: head.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

function formatByName(path: string): 'ndjson' | 'csv' | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, '');
  if (/\.(ndjson|jsonl)$/.test(name)) return 'ndjson';
  return name.endsWith('.csv') ? 'csv' : undefined;
}

function formatByContent(path: string, head: Buffer): 'ndjson' | 'csv' {
  const text = head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  if (text.startsWith('{')) return 'ndjson';
  if (text.startsWith('[')) {
    throw usageFailure(
      `${path} is a JSON array, and send takes NDJSON or CSV`,
      `Convert it: jq -c '.[]' ${path} > messages.ndjson`,
    );
  }
  // The first line of CSV is a header, and the header names the recipient's column.
  const header = text.slice(0, text.search(/[\r\n]|$/)).split(',');
  if (header.some((column) => column.trim().replaceAll('"', '') === 'to')) return 'csv';
  throw usageFailure(
    `${path} looks like neither NDJSON nor CSV with a column "to"`,
    'Say which it is: --format ndjson or --format csv',
  );
}

function unpackHead(path: string, head: Buffer): Buffer {
  try {
    // The head is cut somewhere: whatever comes out of it until there is enough.
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw new Failure(`${path} cannot be unpacked: ${(error as Error).message}`);
  }
}
