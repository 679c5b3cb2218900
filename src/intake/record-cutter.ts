import { limits } from '../message/limits.ts';
import type { RawSlot } from './raw-slot.ts';
import type { RecordProblem, Rejection, UploadProblem } from './rejection.ts';
import { runOfLine } from './shard-of-run.ts';
import type { SlotBuffers } from './slot-buffers.ts';

/** Lines `firstLine` to `firstLine + lines - 1`. */
export interface LineExtent {
  firstLine: number;
  lines: number;
}

export interface CutterSettings {
  /** The line that the body begins with; the first of a batch is 1. */
  firstLine: number;
  /** Lines that are durable already, sorted, without overlap: their records are counted and not given out. */
  skip?: readonly LineExtent[];
  /** The body has no more bytes than this: buffers need be no larger. */
  bodyBytesMax?: number;
  /** Where the buffers of the slots come from; without, each slot has one that nobody uses again. */
  buffers?: SlotBuffers;
}

/** What may stand on a line that is blank. */
export interface BlankLines {
  /** 1 for each byte that is one. */
  spaces: Uint8Array;
  spacesMax: number;
}

/** The table of a set of bytes. */
export function byteTable(...bytes: number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of bytes) table[byte] = 1;
  return table;
}

/** In UTF-8; it may stand before a body and is no part of it. */
export const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** A body is looked at in pieces of at most this: it bounds what is carried over from one slot to the next. */
const pieceBytesMax = 65_536;

/**
 * What the cutters of all formats share: they find where records end, this gathers them into slots.
 *
 * `buffer` holds first the records of the slot, packed tightly, then from `open` to `length` the bytes of the
 * record that is being read. The format's `scan` looks at those, calls `keep`, `pass` or `refuse` for each
 * record it finds complete, and must read `buffer` and `open` again afterwards: a slot that is full takes the
 * buffer along.
 */
export abstract class RecordCutter {
  problem: UploadProblem | undefined;
  protected buffer: Buffer;
  protected length = 0;
  /** Where the record begins that is being read. */
  protected open = 0;
  /** The line on which it begins. */
  protected line: number;
  protected abstract readonly format: RawSlot['format'];
  protected columns: RawSlot['columns'];

  /** End of the records kept for the slot. */
  #kept = 0;
  #firstLine: number;
  /** The first line that belongs to another run than `#firstLine`. */
  #runEnd: number;
  #count = 0;
  #gapless = true;
  #refused: Rejection[] = [];
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #lineOffsets: Uint32Array;
  readonly #skip: LineExtent[];
  #slots: RawSlot[] = [];
  /** Twice the piece: a record's start and the piece that ends it. */
  readonly #roomBytes: number;
  readonly #buffers: SlotBuffers | undefined;
  readonly #mark = new ByteOrderMark();

  constructor({ firstLine, skip = [], bodyBytesMax = Number.POSITIVE_INFINITY, buffers }: CutterSettings) {
    this.line = firstLine;
    this.#firstLine = firstLine;
    this.#runEnd = runEndOf(firstLine);
    this.#skip = skip.filter((extent) => extent.lines > 0 && endOf(extent) > firstLine);
    this.#roomBytes = 2 * Math.min(pieceBytesMax, bodyBytesMax);
    this.#buffers = buffers;
    this.buffer = this.#take(this.#roomBytes);
    // No record is shorter than a byte.
    const recordsMax = Math.min(limits.chunkMessagesMax, bodyBytesMax);
    this.#starts = new Uint32Array(recordsMax);
    this.#ends = new Uint32Array(recordsMax);
    this.#lineOffsets = new Uint32Array(recordsMax);
  }

  get nextLine(): number {
    return this.#firstLine;
  }

  push(bytes: Uint8Array): RawSlot[] {
    const body = this.#mark.strip(bytes);
    for (let from = 0; from < body.length && this.problem === undefined; from += pieceBytesMax) {
      this.#append(body.subarray(from, from + pieceBytesMax));
      this.scan();
      this.#closeGap();
    }
    if (this.problem !== undefined) this.#cut();
    return this.#given();
  }

  flush(): RawSlot[] {
    this.#cut();
    return this.#given();
  }

  end(): RawSlot[] {
    this.#append(this.#mark.rest());
    if (this.problem === undefined) this.scanEnd();
    this.#cut();
    this.#give();
    this.buffer = Buffer.alloc(0);
    return this.#given();
  }

  /** Finds the records that are complete in the bytes from `open` on. Called for every piece. */
  protected abstract scan(): void;
  /** The body has ended: what is open is the last record, or the body is torn. */
  protected abstract scanEnd(): void;

  /** The open record lies from `open` to `end`, the one after it begins at `next` and on line `nextLine`. */
  protected keep(end: number, next: number, nextLine: number): void {
    if (this.#isSkipped()) {
      this.pass(next, nextLine);
      return;
    }
    const size = end - this.open;
    let after = next;
    if (this.#kept + size + 1 > limits.slotBytesMax) {
      after -= this.open;
      this.#cut();
    }
    const start = this.#kept;
    if (start !== this.open) this.buffer.copyWithin(start, this.open, this.open + size);
    this.buffer[start + size] = lineFeed;
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = start + size;
    const offset = this.line - this.#firstLine;
    this.#lineOffsets[this.#count] = offset;
    if (offset !== this.#count) this.#gapless = false;
    this.#count++;
    this.#kept = start + size + 1;
    this.pass(after, nextLine);
  }

  /** The bytes up to `next` are no record: a blank line, a header, space between elements. */
  protected pass(next: number, nextLine: number): void {
    this.open = next;
    this.line = nextLine;
    const full = this.#count + this.#refused.length >= limits.chunkMessagesMax;
    if (full || nextLine >= this.#runEnd || this.#skip.length > 0) this.#turn(full);
  }

  /**
   * The open record is a blank line: passes over it and all those that follow at once. A run of them may be a whole
   * body, and one call for each would cost twelve times what good lines of as many bytes do.
   */
  protected passBlankLines({ spaces, spacesMax }: BlankLines): void {
    const { buffer, length } = this;
    const linesMax = this.#linesToTurn();
    let next = this.open;
    let lines = 0;
    for (let p = next; p < length && p - next <= spacesMax; p++) {
      const byte = buffer[p]!;
      if (byte === lineFeed) {
        next = p + 1;
        if (++lines === linesMax) break;
      } else if (spaces[byte] === 0) break;
    }
    this.pass(next, this.line + lines);
  }

  /** Lines up to the next one at which `#turn` must be asked. */
  #linesToTurn(): number {
    const extent = this.#skip[0];
    const toRunEnd = Math.max(1, this.#runEnd - this.line);
    if (extent === undefined) return toRunEnd;
    const toExtent = (this.line < extent.firstLine ? extent.firstLine : endOf(extent)) - this.line;
    return Math.max(1, Math.min(toRunEnd, toExtent));
  }

  /** The open record, which ends before `next`, cannot be taken. */
  protected refuse(rejection: RecordProblem, next: number, nextLine: number): void {
    if (!this.#isSkipped()) this.#refused.push({ line: this.line, ...rejection });
    this.pass(next, nextLine);
  }

  /** Nothing from the open record on is taken. */
  protected stop(problem: Omit<UploadProblem, 'line'>): void {
    this.problem = { line: this.line, ...problem };
    this.length = this.open;
  }

  /** The bytes of the open record are not needed: it is too long. */
  protected dropOpen(): void {
    this.length = this.open;
  }

  /** Room for one byte more, such as the line feed that the last line lacks. */
  protected appendByte(byte: number): void {
    this.#reserve(1);
    this.buffer[this.length++] = byte;
  }

  /** Called between records: cuts where the next one may not join the slot. */
  #turn(full: boolean): void {
    const extent = this.#skip[0];
    if (extent !== undefined && this.line >= endOf(extent)) {
      // The slot begins anew behind the extent; nothing was kept inside.
      this.#skip.shift();
      this.#beginSlot();
      this.#turn(false);
      return;
    }
    if (extent !== undefined && this.line >= extent.firstLine) {
      if (this.#firstLine < extent.firstLine) this.#cut();
      return;
    }
    if (full || this.line >= this.#runEnd) this.#cut();
  }

  #isSkipped(): boolean {
    const extent = this.#skip[0];
    return extent !== undefined && this.line >= extent.firstLine && this.line < endOf(extent);
  }

  /** Ends the slot before the open record. */
  #cut(): void {
    if (this.#isSkipped() && this.#firstLine >= this.#skip[0]!.firstLine) return;
    const lines = this.line - this.#firstLine;
    if (lines === 0) return;
    this.#slots.push({
      format: this.format,
      firstLine: this.#firstLine,
      lines,
      bytes: this.#takeKept(),
      starts: this.#starts.slice(0, this.#count),
      ends: this.#ends.slice(0, this.#count),
      ...(!this.#gapless && { lineOffsets: this.#lineOffsets.slice(0, this.#count) }),
      refused: this.#refused,
      ...(this.columns && { columns: this.columns }),
    });
    this.#beginSlot();
  }

  /** The records that were kept, with the buffer that they are in; the open record moves to a new one. */
  #takeKept(): Uint8Array {
    // A slot of blank or refused lines leaves the buffer: one of 128 KiB for each of thousands is what they would cost.
    if (this.#kept === 0) return new Uint8Array(0);
    const full = this.buffer;
    const kept = this.#kept;
    const carried = this.length - this.open;
    // The next slot is probably like this one.
    this.buffer = this.#take(Math.max(kept, carried) + this.#roomBytes);
    full.copy(this.buffer, 0, this.open, this.length);
    this.length = carried;
    this.open = 0;
    this.#kept = 0;
    return new Uint8Array(full.buffer, 0, kept);
  }

  #beginSlot(): void {
    this.#firstLine = this.line;
    this.#runEnd = runEndOf(this.line);
    this.#count = 0;
    this.#gapless = true;
    this.#refused = [];
  }

  #given(): RawSlot[] {
    const slots = this.#slots;
    this.#slots = [];
    return slots;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  #reserve(more: number): void {
    // One byte in reserve: the line feed after the last record.
    if (this.length + more + 1 <= this.buffer.length) return;
    const larger = this.#take(Math.max(2 * this.buffer.length, this.length + more + 1));
    this.buffer.copy(larger, 0, 0, this.length);
    this.#give();
    this.buffer = larger;
  }

  #take(bytesMin: number): Buffer {
    return this.#buffers?.take(bytesMin) ?? Buffer.allocUnsafeSlow(bytesMin);
  }

  /** The buffer is not needed any more. */
  #give(): void {
    const { buffer } = this.buffer;
    if (buffer instanceof SharedArrayBuffer) this.#buffers?.give(buffer);
  }

  /** Moves the open record up to the ones that are kept, so that what was passed over takes no room. */
  #closeGap(): void {
    const gap = this.open - this.#kept;
    if (gap === 0) return;
    this.buffer.copyWithin(this.#kept, this.open, this.length);
    this.open = this.#kept;
    this.length -= gap;
  }
}

/** Takes the byte order mark off the front of a body, in however many pieces it comes. */
class ByteOrderMark {
  #held: Buffer | undefined = Buffer.alloc(0);

  strip(bytes: Uint8Array): Uint8Array {
    if (this.#held === undefined) return bytes;
    const head = Buffer.concat([this.#held, bytes]);
    if (head.length < byteOrderMark.length && byteOrderMark.subarray(0, head.length).equals(head)) {
      this.#held = head;
      return head.subarray(0, 0);
    }
    this.#held = undefined;
    return head.subarray(0, byteOrderMark.length).equals(byteOrderMark)
      ? head.subarray(byteOrderMark.length)
      : head;
  }

  /** What was held back of a body that ended too soon to be sure. */
  rest(): Uint8Array {
    const held = this.#held ?? Buffer.alloc(0);
    this.#held = undefined;
    return held;
  }
}

const lineFeed = 0x0a;

function runEndOf(line: number): number {
  return (runOfLine(line) + 1) * limits.runLines + 1;
}

function endOf(extent: LineExtent): number {
  return extent.firstLine + extent.lines;
}
