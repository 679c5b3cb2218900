export type Format = 'csv' | 'ndjson';

const newline = 0x0a;
const quote = 0x22;

/**
 * Where the last whole record of some bytes that begin with one ends, 0 without any. In CSV a line break between quotes is
 * part of its record; a doubled quote leaves the parity as it was.
 */
export function lastRecordEnd(bytes: Uint8Array, format: Format): number {
  if (format === 'ndjson') return bytes.lastIndexOf(newline) + 1;
  let end = 0;
  let quoted = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === quote) quoted = !quoted;
    else if (byte === newline && !quoted) end = index + 1;
  }
  return end;
}

/** Where the first record ends; the length where it is the only one. */
export function firstRecordEnd(bytes: Uint8Array, format: Format): number {
  let quoted = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === quote && format === 'csv') quoted = !quoted;
    else if (byte === newline && !quoted) return index + 1;
  }
  return bytes.length;
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

/** The cells of the first records of a CSV text. */
export function firstRows(text: string, rowsMax: number): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  for (let index = 0; index < text.length && rows.length < rowsMax; index++) {
    const char = text[index]!;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[index + 1] === '"') cell += text[++index];
      else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === ',') row = endCell(row);
    else if (char === '\n') endRow();
    else if (char !== '\r') cell += char;
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
  }
}

/** A header line of these names. */
export function headerLine(names: readonly string[]): string {
  return `${names.map((name) => (/[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(',')}\n`;
}
