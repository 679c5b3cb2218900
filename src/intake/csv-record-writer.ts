import type { CsvColumn } from './csv-header.ts';
import { type CsvCells, emptyCells, splitCells } from './csv-record.ts';
import type { RecordProblem } from './rejection.ts';

/**
 * Writes CSV records as JSON objects. An empty cell is an absent field; the cell `tags` holds tags separated
 * by `|`; the columns `metadata.NAME` become one object, and so do the columns `params.NAME`.
 */
export class CsvRecordWriter {
  /** Where records are written; replaced by a larger one when it is full, with what was written before. */
  out: Buffer = Buffer.allocUnsafe(outBytesFirst);
  /** End of the record written last; a line feed follows it. */
  end = 0;
  readonly #columns: WrittenColumn[];
  readonly #columnCount: number;
  readonly #namesBytes: number;
  readonly #cells: CsvCells = emptyCells();
  #in: Uint8Array = this.out;
  #at = 0;

  constructor(columns: readonly CsvColumn[]) {
    const written = columns.map((column, index) => ({ ...column, index, key: keyOf(column) }));
    // Those of one object come together.
    this.#columns = [
      ...written.filter(({ kind }) => !(kind in objectKeys)),
      ...written.filter(({ kind }) => kind === 'metadata'),
      ...written.filter(({ kind }) => kind === 'params'),
    ];
    this.#columnCount = columns.length;
    this.#namesBytes = written.reduce(
      (sum, { key }) => sum + key.length + bytesPerColumn,
      objectKeys.metadata.length + objectKeys.params.length,
    );
  }

  /** Writes the record between `start` and `end` to `out` at `at`, or tells why it is none. */
  write(
    bytes: Uint8Array,
    { start, end, at }: { start: number; end: number; at: number },
  ): RecordProblem | undefined {
    const fault = splitCells(bytes, { start, end }, this.#cells);
    if (fault !== undefined) return { code: fault, detail: quoteFaults[fault] };
    const { count } = this.#cells;
    if (count !== this.#columnCount) {
      return {
        code: 'column_count',
        detail: `${count} cell${count === 1 ? '' : 's'}, but the header names ${this.#columnCount}`,
      };
    }
    this.#reserve(at, bytesPerByte * (end - start) + this.#namesBytes);
    this.#in = bytes;
    this.#at = at;
    this.#writeObject();
    this.end = this.#at;
    this.out[this.#at] = 0x0a;
    return undefined;
  }

  /** Puts a record of other making to `out` at `at`. */
  put(record: Uint8Array, at: number): void {
    this.#reserve(at, record.length + 1);
    this.out.set(record, at);
    this.end = at + record.length;
    this.out[this.end] = 0x0a;
  }

  #writeObject(): void {
    const { starts, ends } = this.#cells;
    let separator = openBrace;
    let object: CsvColumn['kind'] | undefined;
    for (const { kind, index, key } of this.#columns) {
      if (starts[index] === ends[index]) continue;
      const begins = (kind === 'metadata' || kind === 'params') && kind !== object;
      if (begins && object !== undefined) this.#byte(closeBrace);
      this.#byte(separator);
      if (begins) {
        object = kind;
        this.#bytes(objectKeys[kind]);
      }
      this.#bytes(key);
      if (kind === 'tags') this.#writeTags(index);
      else this.#writeString(starts[index]!, ends[index]!);
      separator = comma;
    }
    if (separator === openBrace) this.#byte(openBrace);
    if (object !== undefined) this.#byte(closeBrace);
    this.#byte(closeBrace);
  }

  #writeTags(index: number): void {
    const end = this.#cells.ends[index]!;
    let separator = openBracket;
    let start = this.#cells.starts[index]!;
    while (start <= end) {
      const bar = this.#in.indexOf(verticalBar, start);
      const tagEnd = bar === -1 || bar > end ? end : bar;
      if (tagEnd > start) {
        this.#byte(separator);
        this.#writeString(start, tagEnd);
        separator = comma;
      }
      start = tagEnd + 1;
    }
    if (separator === openBracket) this.#byte(openBracket);
    this.#byte(closeBracket);
  }

  /** A quote is doubled wherever one may stand: of two, the first is skipped. */
  #writeString(start: number, end: number): void {
    const { out } = this;
    const bytes = this.#in;
    let at = this.#at;
    out[at++] = quote;
    for (let p = start; p < end; p++) {
      const byte = bytes[p]!;
      if (byte >= 0x20 && byte !== quote && byte !== backslash) {
        out[at++] = byte;
        continue;
      }
      if (byte === quote) p++;
      out[at++] = backslash;
      if (byte >= 0x20) out[at++] = byte;
      else at += out.write(`u00${byte < 16 ? '0' : ''}${byte.toString(16)}`, at, 'latin1');
    }
    out[at++] = quote;
    this.#at = at;
  }

  #byte(byte: number): void {
    this.out[this.#at++] = byte;
  }

  #bytes(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length; index++) this.out[this.#at++] = bytes[index]!;
  }

  #reserve(at: number, more: number): void {
    if (at + more <= this.out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.out.length, at + more));
    this.out.copy(larger, 0, 0, at);
    this.out = larger;
  }
}

interface WrittenColumn extends CsvColumn {
  index: number;
  /** The name as it is written, with its quotes and colon. */
  key: Buffer;
}

function keyOf({ name }: CsvColumn): Buffer {
  return Buffer.from(`${JSON.stringify(name)}:`);
}

const quoteFaults = {
  bad_quote: 'a quote inside a cell: the cell must be in quotes, and quotes inside it doubled',
  unterminated_quote: 'a quote that opens a cell is never closed; the lines up to the end are part of it',
} as const;

/** How the objects begin that are made of several columns. */
const objectKeys = { metadata: Buffer.from('"metadata":{'), params: Buffer.from('"params":{') };
const outBytesFirst = 262_144;
/** What a byte may grow to (`\u0001`), and what stands around a cell. */
const bytesPerByte = 6;
const bytesPerColumn = 8;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const verticalBar = 0x7c;
const closeBrace = 0x7d;
