import { Transform, type TransformCallback } from 'node:stream';
import { SourceError } from './client-error.ts';

const lineFeed = 0x0a;
const quote = 0x22;
/** A CSV header is one record, and a record is at most 64 KiB. */
const headerBytesMax = 65_536;

/** Lets pass what begins with physical line `line`; of CSV the header record too, which may span lines. */
export function skipLines(line: number, format: 'ndjson' | 'csv'): Transform {
  const skip = new LineSkip(line - 1, format === 'csv');
  return new Transform({
    transform(bytes: Buffer, _encoding, done: TransformCallback) {
      try {
        skip.pass(bytes, (part) => this.push(part));
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done: TransformCallback) {
      done(
        skip.missing()
          ? new SourceError(`the file ends before line ${line}, which the server expects next`)
          : null,
      );
    },
  });
}

class LineSkip {
  #toSkip: number;
  #inHeader: boolean;
  #quoted = false;
  #headerBytes = 0;
  /** Bytes since the last line feed: a last line without one is a line too. */
  #tail = false;

  constructor(lines: number, header: boolean) {
    this.#toSkip = lines;
    this.#inHeader = header;
  }

  pass(bytes: Buffer, push: (part: Buffer) => void): void {
    let position = 0;
    if (this.#inHeader) position = this.#passHeader(bytes, push);
    while (this.#toSkip > 0 && !this.#inHeader && position < bytes.length) {
      const end = bytes.indexOf(lineFeed, position);
      this.#tail = end === -1;
      if (end === -1) return;
      position = end + 1;
      this.#toSkip--;
    }
    if (!this.#inHeader && position < bytes.length) push(bytes.subarray(position));
  }

  missing(): boolean {
    return this.#inHeader || this.#toSkip > (this.#tail ? 1 : 0);
  }

  /** Returns where the header ends in `bytes`. Its lines count as skipped ones. */
  #passHeader(bytes: Buffer, push: (part: Buffer) => void): number {
    let position = 0;
    while (position < bytes.length && this.#inHeader) {
      const byte = bytes[position++];
      if (byte === quote) this.#quoted = !this.#quoted;
      else if (byte === lineFeed) {
        this.#toSkip--;
        this.#inHeader = this.#quoted;
      }
    }
    this.#headerBytes += position;
    if (this.#headerBytes > headerBytesMax)
      throw new SourceError(`the CSV header is longer than ${headerBytesMax} bytes`);
    push(bytes.subarray(0, position));
    return position;
  }
}
