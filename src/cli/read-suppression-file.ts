import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { NewSuppression } from '../client/client.ts';
import { fileFault } from '../lib/file-fault.ts';
import { Failure } from './failure.ts';

/** A part of the file: what can be sent in one request, and the lines that cannot be read. */
export interface SuppressionLines {
  lines: { line: number; entry: Pick<NewSuppression, 'to'> & Partial<NewSuppression> }[];
  unreadable: { line: number; detail: string }[];
}

/** As many as a request takes. */
const linesMax = 1_000;
/** As of a line of a batch. */
const lineCharsMax = 65_536;

/** Recipients of a file, one a line or as NDJSON, optionally gzip; blank lines and a first line `to` are left out. */
export async function* readSuppressionFile(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<SuppressionLines> {
  let part: SuppressionLines = { lines: [], unreadable: [] };
  let line = 0;
  for await (const text of linesOf(path, signal)) {
    line++;
    const trimmed = text.trim();
    if (trimmed === '' || (line === 1 && trimmed === 'to')) continue;
    const entry = entryOf(trimmed);
    if (typeof entry === 'string') part.unreadable.push({ line, detail: entry });
    else part.lines.push({ line, entry });
    if (part.lines.length + part.unreadable.length < linesMax) continue;
    yield part;
    part = { lines: [], unreadable: [] };
  }
  yield part;
}

/** The entry of a line, or why there is none. */
function entryOf(line: string): SuppressionLines['lines'][number]['entry'] | string {
  if (!line.startsWith('{')) return { to: line };
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return 'is not JSON';
  }
  for (const [name, value] of Object.entries(entry)) {
    if (!['to', 'channel', 'reason', 'ref'].includes(name))
      return `has a field ${JSON.stringify(name)}, which is unknown`;
    if (typeof value !== 'string') return `"${name}" must be a text`;
  }
  if (typeof entry.to !== 'string' || entry.to === '') return 'has no "to"';
  if (!['sms', 'email', undefined].includes(entry.channel as string | undefined)) {
    return '"channel" must be "sms" or "email"';
  }
  return entry as unknown as NewSuppression;
}

async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<string> {
  let rest = '';
  try {
    const stream = await openText(path, signal);
    for await (const text of stream as AsyncIterable<string>) {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      yield* lines;
      if (rest.length > lineCharsMax)
        throw new Failure(`${path} has a line longer than ${lineCharsMax} characters`);
    }
  } catch (error) {
    if (error instanceof Failure || signal.aborted) throw error;
    throw new Failure(`${path} cannot be read: ${fileFault(error)}`);
  }
  if (rest !== '') yield rest;
}

async function openText(path: string, signal: AbortSignal): Promise<Readable> {
  const file = await open(path, 'r');
  const head = Buffer.alloc(2);
  await file.read(head, 0, 2, 0).finally(() => file.close());
  const source = createReadStream(path, { signal });
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  // What fails is told by the end that is read.
  const stream: Readable = isGzip ? pipeline(source, createGunzip(), () => {}) : source;
  return stream.setEncoding('utf8');
}
