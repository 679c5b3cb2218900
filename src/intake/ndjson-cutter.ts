import { limits } from '../message/limits.ts';
import { type BlankLines, byteTable, RecordCutter } from './record-cutter.ts';

/** Newline-delimited JSON: a record is a line, ended by LF or CRLF. Blank lines are counted and are no records. */
export class NdjsonCutter extends RecordCutter {
  protected override readonly format = 'ndjson';
  /** Bytes of the open record that hold no line feed. */
  #seen = 0;
  /** The open line is too long: its bytes are dropped as they come. */
  #dropping = false;

  protected override scan(): void {
    let bytes = this.buffer.subarray(0, this.length);
    let end = bytes.indexOf(lineFeed, this.open + this.#seen);
    while (end !== -1) {
      const before = this.buffer;
      this.#endLine(end);
      if (this.buffer !== before) bytes = this.buffer.subarray(0, this.length);
      end = bytes.indexOf(lineFeed, this.open);
    }
    this.#seen = this.length - this.open;
    // One more for the CR that may be the last byte and does not count.
    if (this.#dropping || this.#seen > limits.lineBytesMax + 1) {
      this.#dropping = true;
      this.dropOpen();
      this.#seen = 0;
    }
  }

  protected override scanEnd(): void {
    if (this.length === this.open && !this.#dropping) return;
    this.appendByte(lineFeed);
    this.#endLine(this.length - 1);
  }

  #endLine(end: number): void {
    const { buffer, open } = this;
    const last = end > open && buffer[end - 1] === carriageReturn ? end - 1 : end;
    if (this.#dropping || last - open > limits.lineBytesMax) {
      this.#dropping = false;
      this.refuse(tooLong, end + 1, this.line + 1);
    } else if (isBlank(buffer, open, last)) {
      this.passBlankLines(blankLines);
    } else {
      this.keep(last, end + 1, this.line + 1);
    }
  }
}

const tooLong = {
  code: 'line_too_long',
  detail: `the line is longer than ${limits.lineBytesMax} bytes`,
} as const;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blankLines: BlankLines = {
  spaces: byteTable(0x20, 0x09, carriageReturn),
  spacesMax: limits.lineBytesMax,
};

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end && blankLines.spaces[bytes[p]!] === 1) p++;
  return p === end;
}
