import { createHash, type Hash } from 'node:crypto';
import { ApiError, ConnectionError, mayPass, readProblem } from './client-error.ts';
import { asConnectionError } from './exchange.ts';
import type { Http } from './http.ts';
import type { Message } from './resources/message.ts';
import { retryWaitMs, wait } from './retry-wait.ts';

export interface ExportOptions {
  /** Goes on behind the message with this id. */
  after?: string;
  /** Breaks in a row, without a single line between them, after which the export gives up. */
  breaksMax?: number;
  /** Called before a cut stream is taken up again. */
  onResume?(event: { after: string | undefined; error: Error; waitMs: number }): void;
  signal?: AbortSignal | undefined;
}

interface BatchExport extends ExportOptions {
  batchId: string;
}

export interface ExportLinesOptions extends BatchExport {
  /**
   * Takes whole lines, several at once, each with its line feed, and how many there were in all by then;
   * resolves when there is room for more.
   */
  write(lines: Buffer, count: number): Promise<void> | void;
}

export interface ExportedLines {
  /** Lines written. */
  count: number;
  /** Times that the stream broke and was taken up again. */
  resumed: number;
}

const breaksDefault = 8;
/** One exported message: its fields (64 KiB a line, escaped) with what became of it. */
const exportLineBytesMax = 1_048_576;

export async function* exportMessages(
  http: Http,
  options: BatchExport,
): AsyncGenerator<Message, void, undefined> {
  for await (const { lines } of exportParts(http, options)) {
    for (const line of lines.toString('utf8').split('\n')) if (line !== '') yield JSON.parse(line) as Message;
  }
}

export async function exportLines(
  http: Http,
  { write, ...options }: ExportLinesOptions,
): Promise<ExportedLines> {
  const parts = exportParts(http, options);
  try {
    for (;;) {
      const part = await parts.next();
      if (part.done) return part.value;
      await write(part.value.lines, part.value.count);
    }
  } finally {
    await parts.return({ count: 0, resumed: 0 });
  }
}

/**
 * Streams a batch as NDJSON. The last line of every stream is a trailer with the count and the SHA-256 of the
 * bytes before it: a stream that ends without one was cut, and is taken up again behind its last whole line.
 */
async function* exportParts(
  http: Http,
  options: BatchExport,
): AsyncGenerator<{ lines: Buffer; count: number }, ExportedLines, undefined> {
  const { breaksMax = breaksDefault } = options;
  const signal = options.signal ?? http.signal;
  let after = options.after;
  let count = 0;
  let breaks = 0;
  for (let resumed = 0; ; resumed++) {
    const reader = new ExportReader();
    try {
      for await (const lines of readStream(http, { ...options, after, signal }, reader)) {
        yield { lines, count: count + reader.count };
      }
      return { count: count + reader.count, resumed };
    } catch (error) {
      if (signal?.aborted || !mayPass(error)) throw error;
      count += reader.count;
      breaks = reader.count > 0 ? 1 : breaks + 1;
      if (breaks > breaksMax) throw error;
      after = reader.lastId() ?? after;
      const retryAfterMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
      const waitMs = retryWaitMs(breaks, 10_000) + retryAfterMs;
      options.onResume?.({ after, error, waitMs });
      await wait(waitMs, signal);
    }
  }
}

interface StreamRequest extends Omit<BatchExport, 'after'> {
  after: string | undefined;
}

async function* readStream(
  http: Http,
  { batchId, after, signal }: StreamRequest,
  reader: ExportReader,
): AsyncGenerator<Buffer> {
  const answer = await http.stream({
    method: 'GET',
    path: `/v1/batches/${encodeURIComponent(batchId)}/export`,
    query: { format: 'ndjson', after },
    headers: { accept: 'application/x-ndjson' },
    signal,
  });
  const chunks = answer.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (let next = await pull(chunks, signal); !next.done; next = await pull(chunks, signal)) {
      const lines = reader.take(next.value);
      if (lines !== undefined) yield lines;
    }
  } finally {
    answer.body.destroy();
  }
  reader.checkTrailer();
}

/** Only what happens on the wire is a broken connection; a fault of whoever takes the lines is not. */
async function pull(
  chunks: AsyncIterator<Buffer>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Buffer>> {
  try {
    return await chunks.next();
  } catch (error) {
    throw asConnectionError(error, { connected: true, signal });
  }
}

/**
 * Cuts the stream into whole lines. The last line read is held back, because only the end of the stream shows
 * whether it was a message or the trailer.
 */
class ExportReader {
  count = 0;
  readonly #hash: Hash = createHash('sha256');
  /** Bytes behind the last line that was given out: at most one whole line and the beginning of another. */
  #held: Buffer = Buffer.alloc(0);
  #lastTaken: Buffer | undefined;

  /** The lines that have become whole, if any. */
  take(bytes: Buffer): Buffer | undefined {
    const joined = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const end = joined.lastIndexOf('\n', -2) + 1;
    this.#held = joined.subarray(end);
    if (this.#held.length > exportLineBytesMax) {
      throw new ConnectionError(
        'protocol',
        `a line of the export is longer than ${exportLineBytesMax} bytes`,
      );
    }
    if (end === 0) return undefined;
    const lines = joined.subarray(0, end);
    this.#hash.update(lines);
    this.count += countLines(lines);
    this.#lastTaken = lines.subarray(lines.lastIndexOf('\n', -2) + 1);
    return lines;
  }

  /** The id of the last message that was given out. */
  lastId(): string | undefined {
    return this.#lastTaken === undefined
      ? undefined
      : (JSON.parse(this.#lastTaken.toString('utf8')) as { id: string }).id;
  }

  checkTrailer(): void {
    const last = parseLine(this.#held);
    if (isObject(last?.error)) throw new ApiError(readProblem(503, JSON.stringify(last.error)));
    const trailer = last?.trailer;
    if (!isObject(trailer)) throw new ConnectionError('broken', 'the export ended without its trailer');
    const sha256 = this.#hash.digest('hex');
    if (trailer.count === this.count && trailer.sha256 === sha256) return;
    const announced = `${String(trailer.count)} lines, SHA-256 ${String(trailer.sha256)}`;
    throw new ConnectionError(
      'protocol',
      `the export does not match its trailer: ${announced}; got ${this.count}, ${sha256}`,
    );
  }
}

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(0x0a); at !== -1; at = lines.indexOf(0x0a, at + 1)) count++;
  return count;
}

function parseLine(line: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
