import { Problem } from '../../api/problem.ts';
import { type Format, firstRecordEnd, firstRows } from './records.ts';

/** What is known of a file from its first bytes. */
export interface OpenedFile {
  file: File;
  format: Format;
  /** Where the messages begin: behind a byte order mark, and the header of CSV. */
  dataStart: number;
  /** Of CSV. */
  columns: string[];
  /** The first records: cells of CSV, lines of NDJSON. */
  rows: string[][];
  lines: string[];
}

const headBytes = 262_144;
const rowsMax = 3;
/** No column is called like a number or an address: such a line is a message, which would be lost as a header. */
const recipient = /^\+?\d[\d ()-]{6,}$|@/;

/** @throws Problem for what is neither CSV nor NDJSON */
export async function openFile(file: File): Promise<OpenedFile> {
  const bytes = new Uint8Array(await file.slice(0, headBytes).arrayBuffer());
  const mark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const head = bytes.subarray(mark);
  const text = new TextDecoder().decode(head);
  const start = text.trimStart();
  if (start === '') throw wrong('The file is empty.');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw wrong('The file is compressed: unpack it first, or send it with `millrace send`.');
  }
  if (start.startsWith('[')) {
    throw wrong('This is a JSON array: write one message a line (NDJSON), or a CSV.');
  }
  if (start.startsWith('{')) {
    const lines = text.split('\n', rowsMax).filter((line) => line.trim() !== '');
    return { file, format: 'ndjson', dataStart: mark, columns: [], rows: [], lines };
  }
  const headerEnd = firstRecordEnd(head, 'csv');
  const [columns = [], ...rows] = firstRows(text, rowsMax + 1);
  if (columns.length === 1 && /[;\t|]/.test(columns[0]!)) {
    throw wrong('The columns must be separated by commas.');
  }
  const names = columns.map((name) => name.trim());
  if (names.some((name) => recipient.test(name))) throw wrong('The first line must name the columns.');
  return { file, format: 'csv', dataStart: mark + headerEnd, columns: names, rows, lines: [] };
}

function wrong(detail: string): Problem {
  return new Problem({ status: 0, code: 'wrong_file', detail });
}
