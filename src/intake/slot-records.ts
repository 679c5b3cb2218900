import { isValidUtf8 } from '../lib/utf8.ts';
import { CsvRecordWriter } from './csv-record-writer.ts';
import type { RawSlot } from './raw-slot.ts';
import type { RecordProblem } from './rejection.ts';

/** Gives the records of a slot one by one as JSON in `bytes`, and gathers those that are kept into a frame. */
export interface SlotRecords {
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Sets `start` and `end` to a record, or tells why it is none. */
  prepare(index: number): RecordProblem | undefined;
  /** Keeps the record prepared last, without the space around it. */
  keep(start: number, end: number): void;
  /** Keeps another record in its place. */
  keepOther(record: Uint8Array): void;
  frame(): Uint8Array;
}

export function recordsOf(slot: RawSlot): SlotRecords {
  return slot.format === 'csv' ? new CsvRecords(slot) : new JsonRecords(slot);
}

/**
 * Keeps records where they are, moved up over what was refused before them; and from one on that has grown into the next, in
 * memory of their own.
 */
class JsonRecords implements SlotRecords {
  readonly bytes: Uint8Array;
  start = 0;
  end = 0;
  readonly #slot: RawSlot;
  readonly #isUtf8: boolean;
  #kept: Uint8Array;
  #written = 0;

  constructor(slot: RawSlot) {
    this.#slot = slot;
    this.bytes = slot.bytes;
    this.#kept = slot.bytes;
    this.#isUtf8 = isValidUtf8(slot.bytes, 0, slot.bytes.length);
  }

  prepare(index: number): RecordProblem | undefined {
    this.start = this.#slot.starts[index]!;
    this.end = this.#slot.ends[index]!;
    return this.#isUtf8 || isValidUtf8(this.bytes, this.start, this.end) ? undefined : notUtf8;
  }

  keep(start: number, end: number): void {
    if (this.#kept !== this.bytes) {
      this.keepOther(this.bytes.subarray(start, end));
      return;
    }
    if (start !== this.#written) this.bytes.copyWithin(this.#written, start, end);
    this.#endRecord(end - start);
  }

  keepOther(record: Uint8Array): void {
    this.#reserve(record.length + 1);
    this.#kept.set(record, this.#written);
    this.#endRecord(record.length);
  }

  frame(): Uint8Array {
    return this.#kept.subarray(0, Math.max(0, this.#written - 1));
  }

  #endRecord(length: number): void {
    const start = this.#written;
    this.#written = start + length + 1;
    this.#kept[this.#written - 1] = lineFeed;
    if (this.#slot.format === 'json') spaceLineFeeds(this.#kept.subarray(start, this.#written - 1));
  }

  #reserve(length: number): void {
    // The next record may begin behind the line feed of this one.
    const end = this.#kept === this.bytes ? this.end + 1 : this.#kept.length;
    if (this.#written + length <= end) return;
    const larger = new Uint8Array(Math.max(2 * this.#written, this.bytes.length) + length);
    larger.set(this.#kept.subarray(0, this.#written));
    this.#kept = larger;
  }
}

/** Builds each record's JSON behind those that were kept. */
class CsvRecords implements SlotRecords {
  start = 0;
  end = 0;
  readonly #slot: RawSlot;
  readonly #isUtf8: boolean;
  readonly #writer: CsvRecordWriter;
  #written = 0;

  constructor(slot: RawSlot) {
    this.#slot = slot;
    this.#isUtf8 = isValidUtf8(slot.bytes, 0, slot.bytes.length);
    this.#writer = new CsvRecordWriter(slot.columns ?? []);
  }

  get bytes(): Uint8Array {
    return this.#writer.out;
  }

  prepare(index: number): RecordProblem | undefined {
    const start = this.#slot.starts[index]!;
    const end = this.#slot.ends[index]!;
    if (!this.#isUtf8 && !isValidUtf8(this.#slot.bytes, start, end)) return notUtf8;
    this.start = this.#written;
    const problem = this.#writer.write(this.#slot.bytes, { start, end, at: this.#written });
    this.end = this.#writer.end;
    return problem;
  }

  keep(_start: number, end: number): void {
    this.#written = end + 1;
  }

  keepOther(record: Uint8Array): void {
    this.#writer.put(record, this.#written);
    this.#written = this.#writer.end + 1;
  }

  frame(): Uint8Array {
    return this.bytes.subarray(0, Math.max(0, this.#written - 1));
  }
}

const notUtf8: RecordProblem = { code: 'invalid_utf8', detail: 'the record is not valid UTF-8' };
const lineFeed = 0x0a;

/** Line feeds in valid JSON are white space between its tokens; in a frame they end a record. */
function spaceLineFeeds(record: Uint8Array): void {
  for (let at = record.indexOf(lineFeed); at !== -1; at = record.indexOf(lineFeed, at)) record[at] = 0x20;
}
