import type { RejectionCode } from './rejection.ts';

/** Where the cells of one CSV record lie, and whether they were quoted (then `""` stands for a quote). */
export interface CsvCells {
  count: number;
  /** Without the quotes around a cell. */
  starts: number[];
  ends: number[];
  /** Whether the cell contains doubled quotes. */
  doubled: boolean[];
}

export function emptyCells(): CsvCells {
  return { count: 0, starts: [], ends: [], doubled: [] };
}

/**
 * Splits one record (RFC 4180, without the line break at its end) into `cells`, which is reused for speed.
 * Answers why it is no record: a quote inside an unquoted cell, text after a closing quote, or a quote that
 * is never closed.
 */
export function splitCells(
  bytes: Uint8Array,
  range: { start: number; end: number },
  cells: CsvCells,
): Extract<RejectionCode, 'bad_quote' | 'unterminated_quote'> | undefined {
  const { end } = range;
  let p = range.start;
  cells.count = 0;
  for (;;) {
    const index = cells.count++;
    cells.doubled[index] = false;
    if (p < end && bytes[p] === quote) {
      const close = closingQuote(bytes, { start: p + 1, end }, cells);
      if (close === -1) return 'unterminated_quote';
      cells.starts[index] = p + 1;
      cells.ends[index] = close;
      p = close + 1;
      if (p < end && bytes[p] !== comma) return 'bad_quote';
    } else {
      cells.starts[index] = p;
      while (p < end && bytes[p] !== comma) if (bytes[p++] === quote) return 'bad_quote';
      cells.ends[index] = p;
    }
    if (p >= end) return undefined;
    p++;
  }
}

/** The text of a cell. */
export function cellText(bytes: Uint8Array, cells: CsvCells, index: number): string {
  const start = cells.starts[index]!;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, cells.ends[index]! - start).toString();
  return cells.doubled[index] ? text.replaceAll('""', '"') : text;
}

function closingQuote(bytes: Uint8Array, { start, end }: { start: number; end: number }, cells: CsvCells) {
  for (let p = start; p < end; p++) {
    if (bytes[p] !== quote) continue;
    if (p + 1 === end || bytes[p + 1] !== quote) return p;
    cells.doubled[cells.count - 1] = true;
    p++;
  }
  return -1;
}

const quote = 0x22;
const comma = 0x2c;
