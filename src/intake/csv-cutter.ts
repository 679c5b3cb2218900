import { limits } from '../message/limits.ts';
import { type HeaderResult, readHeader } from './csv-header.ts';
import { type BlankLines, byteTable, type CutterSettings, RecordCutter } from './record-cutter.ts';

/**
 * How far the end of a quoted cell is sought once its record is too long to take. A cell must be sought to its
 * end, because what is inside, taken for records, would be messages that nobody wrote; and it must not be
 * sought for ever, because a quote that somebody forgot to close would then swallow the file. Past this bound
 * the upload ends with the line of the quote, to be mended and resumed from there.
 */
const quotedBytesMax = 1_048_576;

/** Where in a record the next byte lies. After a misplaced quote the record ends with its line. */
type Place = (typeof place)[keyof typeof place];
const place = { cellStart: 0, unquoted: 1, quoted: 2, afterQuote: 3, misplacedQuote: 4 } as const;

/**
 * Comma-separated values (RFC 4180): a header, then records that may span lines inside quotes. The header is
 * line 1; a body that begins further on repeats it, and then it is not counted.
 */
export class CsvCutter extends RecordCutter {
  protected override readonly format = 'csv';
  #place: Place = place.cellStart;
  /** Bytes of the open record that were looked at, line feeds among them, and bytes dropped before. */
  #seen = 0;
  #lineFeeds = 0;
  #dropped = 0;
  /** The open record has a quoted cell. */
  #hasQuotes = false;
  readonly #headerCounts: boolean;

  constructor(settings: CutterSettings) {
    super(settings);
    this.#headerCounts = settings.firstLine === 1;
  }

  protected override scan(): void {
    let bytes = this.buffer.subarray(0, this.length);
    // Where the next quote lies: most records have none, and end at the next line feed.
    let quoteAt = bytes.indexOf(quote, this.open + this.#seen);
    for (;;) {
      const from = this.open + this.#seen;
      if (quoteAt !== -1 && quoteAt < from) quoteAt = bytes.indexOf(quote, from);
      const end = this.#findEnd(bytes, quoteAt);
      if (end === -1) break;
      const before = this.buffer;
      this.#endRecord(end);
      if (this.problem !== undefined) return;
      if (this.buffer === before) continue;
      bytes = this.buffer.subarray(0, this.length);
      quoteAt = bytes.indexOf(quote, this.open);
    }
    if (this.#dropped > 0 || this.#seen > limits.lineBytesMax + 1) this.#drop();
  }

  protected override scanEnd(): void {
    if (this.length > this.open || this.#dropped > 0) {
      this.appendByte(lineFeed);
      this.#endRecord(this.length - 1);
    }
    if (this.columns === undefined && this.problem === undefined) {
      this.stop({ code: 'missing_header', detail: 'a CSV body begins with a header that names its columns' });
    }
  }

  /** The line feed that ends the open record, or -1 with what was learnt so far kept for the next piece. */
  #findEnd(bytes: Buffer, quoteAt: number): number {
    const from = this.open + this.#seen;
    const lineEnd = bytes.indexOf(lineFeed, from);
    const inside = this.#place === place.quoted || this.#place === place.afterQuote;
    if (!inside && (quoteAt === -1 || (lineEnd !== -1 && quoteAt > lineEnd))) {
      if (lineEnd === -1) this.#leaveUnquoted(bytes, from);
      return lineEnd;
    }
    return this.#walk(bytes, from);
  }

  /** The rest of the piece holds neither a quote nor the end of the line. */
  #leaveUnquoted(bytes: Buffer, from: number): void {
    if (bytes.length > from && this.#place !== place.misplacedQuote) {
      this.#place = bytes[bytes.length - 1] === comma ? place.cellStart : place.unquoted;
    }
    this.#seen = bytes.length - this.open;
  }

  #walk(bytes: Buffer, from: number): number {
    let now = this.#place;
    for (let p = from; p < bytes.length; p++) {
      const byte = bytes[p]!;
      if (now === place.quoted) {
        if (byte === quote) now = place.afterQuote;
        else if (byte === lineFeed) this.#lineFeeds++;
      } else if (byte === lineFeed) {
        return p;
      } else if (now !== place.misplacedQuote) {
        now = placeAfter(byte, now);
        if (now === place.quoted) this.#hasQuotes = true;
      }
    }
    this.#place = now;
    this.#seen = bytes.length - this.open;
    return -1;
  }

  #endRecord(end: number): void {
    const { buffer, open } = this;
    const last = end > open && buffer[end - 1] === carriageReturn ? end - 1 : end;
    const nextLine = this.line + this.#lineFeeds + 1;
    const tooLong = this.#dropped > 0 || last - open > limits.lineBytesMax;
    if (this.#isUnbounded(end - open)) return;
    this.#place = place.cellStart;
    this.#seen = 0;
    this.#lineFeeds = 0;
    this.#dropped = 0;
    this.#hasQuotes = false;
    if (last === open && !tooLong) this.#passBlank(end + 1);
    else if (this.columns === undefined) this.#takeHeader({ last, end, nextLine, tooLong });
    else if (tooLong) this.refuse(recordTooLong, end + 1, nextLine);
    else this.keep(last, end + 1, nextLine);
  }

  #passBlank(next: number): void {
    if (this.#countsNow()) this.passBlankLines(blankLines);
    else this.pass(next, this.line);
  }

  #countsNow(): boolean {
    return this.#headerCounts || this.columns !== undefined;
  }

  #takeHeader({ last, end, nextLine, tooLong }: HeaderRecord): void {
    const result = tooLong ? headerTooLong : readHeader(this.buffer.subarray(this.open, last));
    if (result.kind === 'problem') {
      this.stop(result.problem);
    } else {
      this.columns = result.columns;
      this.pass(end + 1, this.#headerCounts ? nextLine : this.line);
    }
  }

  /** The open record is too long: its bytes go, what is known of its quotes stays. */
  #drop(): void {
    this.#dropped += this.#seen;
    this.#seen = 0;
    if (!this.#isUnbounded(0)) this.dropOpen();
  }

  /** Ends the upload when a record with quotes has grown, `more` bytes included, past what is sought through. */
  #isUnbounded(more: number): boolean {
    if (!this.#hasQuotes || this.#dropped + more <= quotedBytesMax) return false;
    const detail = `a quote opened on this line is not closed within ${quotedBytesMax} bytes`;
    this.stop({ code: 'unterminated_quote', detail });
    return true;
  }
}

function placeAfter(byte: number, now: Place): Place {
  if (byte === comma) return place.cellStart;
  if (now === place.afterQuote) {
    if (byte === quote) return place.quoted;
    return byte === carriageReturn ? place.afterQuote : place.misplacedQuote;
  }
  if (byte !== quote) return place.unquoted;
  return now === place.cellStart ? place.quoted : place.misplacedQuote;
}

interface HeaderRecord {
  /** Where its text ends, and its line feed. */
  last: number;
  end: number;
  nextLine: number;
  tooLong: boolean;
}

const headerTooLong: HeaderResult = {
  kind: 'problem',
  problem: { code: 'header_too_long', detail: `the header is longer than ${limits.lineBytesMax} bytes` },
};

const recordTooLong = {
  code: 'line_too_long',
  detail: `the record is longer than ${limits.lineBytesMax} bytes`,
} as const;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** Spaces make a record of one cell. */
const blankLines: BlankLines = { spaces: byteTable(carriageReturn), spacesMax: 1 };
const quote = 0x22;
const comma = 0x2c;
