export type Format = 'csv' | 'ndjson';

const newline = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const comma = 0x2c;

/**
 * Where in a record of CSV the next byte lies. These are the server's own places: a quote opens a cell only where one
 * begins; elsewhere it spoils its record, which then ends with its line. Were they others here, a part could end inside a
 * record, and its rest be taken for messages that nobody wrote.
 */
type Place = 'cell start' | 'unquoted' | 'quoted' | 'after quote' | 'misplaced quote';

/** Where the last whole record of some bytes that begin with one ends, 0 without any. */
export function lastRecordEnd(bytes: Uint8Array, format: Format): number {
  if (format === 'ndjson') return bytes.lastIndexOf(newline) + 1;
  let end = 0;
  for (let next = recordEnd(bytes, 0); next > 0; next = recordEnd(bytes, end)) end = next;
  return end;
}

/** Where the first record ends; the length where it is the only one. */
export function firstRecordEnd(bytes: Uint8Array, format: Format): number {
  if (format === 'ndjson') return bytes.indexOf(newline) + 1 || bytes.length;
  return recordEnd(bytes, 0) || bytes.length;
}

/** Behind the line feed of the record of CSV that begins there; 0 where it does not end. */
function recordEnd(bytes: Uint8Array, from: number): number {
  let now: Place = 'cell start';
  for (let index = from; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (byte === newline && now !== 'quoted') return index + 1;
    now = placeAfter(byte, now);
  }
  return 0;
}

function placeAfter(byte: number, now: Place): Place {
  if (now === 'quoted') return byte === quote ? 'after quote' : now;
  if (now === 'misplaced quote') return now;
  if (byte === comma) return 'cell start';
  if (now === 'after quote') {
    if (byte === quote) return 'quoted';
    return byte === carriageReturn ? now : 'misplaced quote';
  }
  if (byte !== quote) return 'unquoted';
  return now === 'cell start' ? 'quoted' : 'misplaced quote';
}

/** Where the line begins that is so many lines behind the first; the length where there are fewer. */
export function lineStart(bytes: Uint8Array, lines: number): number {
  let index = 0;
  for (let left = lines; left > 0; left--) {
    const found = bytes.indexOf(newline, index);
    if (found < 0) return bytes.length;
    index = found + 1;
  }
  return index;
}

/** The cells of the first records of a CSV text. What stands behind a misplaced quote is shown as it stands. */
export function firstRows(text: string, rowsMax: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let now: Place = 'cell start';
  for (let index = 0; index < text.length && rows.length < rowsMax; index++) {
    const char = text[index]!;
    if (char === '\n' && now !== 'quoted') {
      endRow();
      continue;
    }
    const before = now;
    now = placeAfter(text.charCodeAt(index), before);
    if (now === 'cell start') row = endCell(row);
    else if (now === 'quoted' ? before !== 'cell start' : now !== 'after quote' && char !== '\r')
      cell += char;
  }
  if (rows.length < rowsMax && (cell !== '' || row.length > 0)) endRow();
  return rows;

  function endCell(of: string[]): string[] {
    const ended = [...of, cell];
    cell = '';
    return ended;
  }

  function endRow(): void {
    rows.push(endCell(row));
    row = [];
    now = 'cell start';
  }
}

/** A header line of these names. */
export function headerLine(names: readonly string[]): string {
  return `${names.map((name) => (/[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(',')}\n`;
}
