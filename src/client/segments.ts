import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { chain } from './chain.ts';
import { asSourceError, SourceError } from './client-error.ts';
import type { LineSource } from './line-source.ts';
import type { NewLine } from './resources/message.ts';
import { skipLines } from './skip-lines.ts';

/**
 * Messages to upload: a file (`fileSource`), message objects one after the other, or the bytes of NDJSON or CSV as a Node
 * stream, a web stream or any other async iterable of bytes or text.
 */
export type MessageSource =
  | LineSource
  | Iterable<NewLine>
  | AsyncIterable<NewLine>
  | AsyncIterable<Uint8Array | string>;

export interface BytesFormat {
  /** Of bytes. Default `ndjson`. */
  format?: 'ndjson' | 'csv';
  /** The bytes are gzip. Default false. */
  gzip?: boolean;
}

/** Some records, whole, which are kept until they are durable. */
export interface Segment {
  bytes: Buffer;
  /** Physical lines in it. */
  lines: number;
  /** Of CSV: what goes before records, and is in `bytes` already where those are the first of the source. */
  header: Buffer | undefined;
}

/** The server commits by the MiB: a segment is some of those, so that waiting for its answer costs little. */
const segmentBytesDefault = 8 * 1_048_576;
/** Of one record; the server takes 64 KiB, and refuses longer ones by themselves. */
const recordBytesMax = 16 * 1_048_576;
const lineFeed = 0x0a;
const quote = 0x22;

export interface SegmentSettings {
  format: 'ndjson' | 'csv';
  gzip: boolean;
  /** Lines of the source to pass over; of CSV the header is read all the same. */
  skip: number;
  /** Of CSV: the header is a line of the batch, which has none yet. */
  headerCounts: boolean;
  /** A segment is whole when it has so many. Default 8 MiB. */
  segmentBytes?: number;
}

/** Reads the source once. @throws SourceError */
export async function* segmentsOf(
  source: Exclude<MessageSource, LineSource>,
  settings: SegmentSettings,
): AsyncGenerator<Segment> {
  checkIterable(source);
  const items = iteratorOf(source);
  const first = await nextOf(items, 1);
  if (first.done) {
    if (settings.skip > 0) throw endsBefore(settings.skip + 1);
    return;
  }
  const all = itemsFrom(first.value, items);
  if (isBytes(first.value)) yield* cutBytes(all as AsyncIterable<Uint8Array | string>, settings);
  else yield* cutMessages(all as AsyncIterable<NewLine>, settings);
}

export interface BegunSegments {
  segments: AsyncIterable<Segment>;
  /** Lets go of the source, however far it was read. */
  end(): Promise<unknown>;
}

/** The same segments, of which the first one is there already. */
export async function beginSegments(segments: AsyncGenerator<Segment>): Promise<BegunSegments> {
  const first = await segments.next();
  async function* all(): AsyncGenerator<Segment> {
    if (first.done) return;
    yield first.value;
    yield* segments;
  }
  return { segments: all(), end: () => segments.return(undefined) };
}

type Item = NewLine | Uint8Array | string;

/** @throws SourceError */
export function checkIterable(source: Exclude<MessageSource, LineSource>): void {
  if (typeof source === 'string') {
    throw new SourceError('messages come as objects or as a stream; for a file give fileSource({ path })');
  }
  // Of nothing an object too, so that it may be asked.
  const asked = Object(source);
  if (Symbol.asyncIterator in asked || Symbol.iterator in asked) return;
  throw new SourceError(
    'messages must be iterable: an array, a generator, a stream, or fileSource({ path })',
  );
}

function iteratorOf(source: Iterable<Item> | AsyncIterable<Item>): AsyncIterator<Item> | Iterator<Item> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

async function nextOf(
  items: AsyncIterator<Item> | Iterator<Item>,
  number: number,
): Promise<IteratorResult<Item>> {
  try {
    return await items.next();
  } catch (error) {
    throw asSourceError(error, `the source of messages failed at its part ${number}: `);
  }
}

async function* itemsFrom(first: Item, items: AsyncIterator<Item> | Iterator<Item>): AsyncGenerator<Item> {
  let ended = false;
  try {
    yield first;
    for (let number = 2; ; number++) {
      const next = await nextOf(items, number).catch((error: unknown) => {
        ended = true;
        throw error;
      });
      if (next.done) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    if (!ended) await items.return?.();
  }
}

function isBytes(item: Item): item is Uint8Array | string {
  return typeof item === 'string' || item instanceof Uint8Array;
}

async function* cutMessages(
  messages: AsyncIterable<NewLine>,
  { skip, segmentBytes = segmentBytesDefault }: SegmentSettings,
): AsyncGenerator<Segment> {
  let parts: string[] = [];
  let chars = 0;
  let number = 0;
  const segment = (): Segment => ({
    bytes: Buffer.from(parts.join('')),
    lines: parts.length,
    header: undefined,
  });
  for await (const message of messages) {
    number++;
    if (number <= skip) continue;
    const text = `${textOf(message, number)}\n`;
    parts.push(text);
    chars += text.length;
    if (chars < segmentBytes) continue;
    yield segment();
    [parts, chars] = [[], 0];
  }
  if (number < skip) throw endsBefore(skip + 1);
  if (parts.length > 0) yield segment();
}

/** A line of JSON holds no line feed. */
function textOf(message: NewLine, number: number): string {
  let text: string | undefined;
  try {
    if (typeof message === 'object' && message !== null && !isBytes(message)) text = JSON.stringify(message);
  } catch (error) {
    throw new SourceError(`message ${number} cannot be written as JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (text === undefined) throw new SourceError(`message ${number} is no object such as { to, body }`);
  return text;
}

async function* cutBytes(
  parts: AsyncIterable<Uint8Array | string>,
  { skip, headerCounts, format, gzip, segmentBytes = segmentBytesDefault }: SegmentSettings,
): AsyncGenerator<Segment> {
  const steps = [...(gzip ? [createGunzip()] : []), ...(skip > 0 ? [skipLines(skip + 1, format)] : [])];
  const bytes = chain(Readable.from(parts, { objectMode: false }), steps);
  const cutter = new RecordCutter(format === 'csv');
  try {
    for await (const part of bytes as AsyncIterable<Buffer>) {
      cutter.add(part);
      if (cutter.length >= segmentBytes) yield* cutter.take(headerCounts);
    }
  } catch (error) {
    throw asSourceError(error);
  } finally {
    bytes.destroy();
  }
  yield* cutter.takeLast(headerCounts);
}

/** Where records end; of CSV a line feed within quotes ends none. */
class RecordCutter {
  length = 0;
  readonly #csv: boolean;
  #parts: Buffer[] = [];
  /** Bytes up to the end of the last whole record, and the header's. */
  #whole = 0;
  #quoted = false;
  #headerLength: number | undefined;
  #header: Buffer | undefined;

  constructor(csv: boolean) {
    this.#csv = csv;
  }

  add(part: Buffer): void {
    if (this.#csv) this.#scan(part);
    else {
      const end = part.lastIndexOf(lineFeed) + 1;
      if (end > 0) this.#whole = this.length + end;
    }
    this.#parts.push(part);
    this.length += part.length;
    if (this.length - this.#whole > recordBytesMax) {
      throw new SourceError(`the source holds ${recordBytesMax} bytes without the end of a record`);
    }
  }

  /** The whole records so far, if there are any.  */
  *take(headerCounts: boolean): Generator<Segment> {
    if (this.#whole === 0) return;
    const all = Buffer.concat(this.#parts, this.length);
    const rest = all.subarray(this.#whole);
    let bytes = all.subarray(0, this.#whole);
    if (this.#csv && this.#header === undefined) {
      this.#header = bytes.subarray(0, this.#headerLength);
      if (!headerCounts) bytes = bytes.subarray(this.#headerLength);
    }
    this.#parts = rest.length > 0 ? [rest] : [];
    [this.length, this.#whole] = [rest.length, 0];
    if (bytes.length > 0) yield { bytes, lines: countLines(bytes), header: this.#header };
  }

  *takeLast(headerCounts: boolean): Generator<Segment> {
    // What is left without a line feed is a record too.
    this.#headerLength ??= this.length;
    this.#whole = this.length;
    yield* this.take(headerCounts);
  }

  #scan(part: Buffer): void {
    for (let at = 0; at < part.length; at++) {
      const byte = part[at];
      if (byte === quote) this.#quoted = !this.#quoted;
      else if (byte === lineFeed && !this.#quoted) {
        this.#whole = this.length + at + 1;
        this.#headerLength ??= this.#whole;
      }
    }
  }
}

/** A last one without a line feed is one. */
function countLines(bytes: Buffer): number {
  let count = bytes.at(-1) === lineFeed ? 0 : 1;
  for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) count++;
  return count;
}

function endsBefore(line: number): SourceError {
  return new SourceError(`the source ends before line ${line}, which the server expects next`);
}
