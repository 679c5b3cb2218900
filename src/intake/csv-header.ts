import { isUtf8 } from 'node:buffer';
import { cellText, emptyCells, splitCells } from './csv-record.ts';
import { fieldNamed } from './message-field.ts';
import { quoted, type UploadProblem } from './rejection.ts';

/** What a cell becomes: a string field, the list of tags, or one entry of the metadata or the parameters. */
export interface CsvColumn {
  kind: 'text' | 'tags' | 'metadata' | 'params';
  name: string;
}

/** Columns in one file: more than any table has that a person made. */
const columnsMax = 256;

const textColumns = new Set([
  ...['to', 'from', 'body', 'html', 'subject', 'template', 'ref', 'scheduledAt', 'expiresAt', 'orderingKey'],
]);
const objectKinds = ['metadata', 'params'] as const;

export type HeaderResult =
  | { kind: 'columns'; columns: CsvColumn[] }
  | { kind: 'problem'; problem: Omit<UploadProblem, 'line'> };

/** Reads the first record of a CSV file. A column that would not be obeyed is refused. */
export function readHeader(record: Uint8Array): HeaderResult {
  if (!isUtf8(record)) return failed('invalid_header', 'the header is not UTF-8');
  const cells = emptyCells();
  if (splitCells(record, { start: 0, end: record.length }, cells) !== undefined) {
    return failed('invalid_header', 'a quote in the header is misplaced');
  }
  return columnsOf(Array.from({ length: cells.count }, (_, index) => cellText(record, cells, index)));
}

function columnsOf(names: readonly string[]): HeaderResult {
  const only = names.length === 1 ? names[0]! : '';
  const separator = /[;\t|]/.exec(only)?.[0];
  if (separator !== undefined) {
    const shown = separator === '\t' ? 'a tab' : `"${separator}"`;
    return failed('wrong_separator', `columns must be separated by commas; this header has ${shown}`);
  }
  if (names.length > columnsMax) {
    return failed('invalid_header', `there are ${names.length} columns; the limit is ${columnsMax}`);
  }
  const columns: CsvColumn[] = [];
  for (const name of names) {
    const column = columnOf(name);
    if (column === undefined) return unknown(name);
    if (names.indexOf(name) !== columns.length) {
      return failed('duplicate_column', `column ${quoted(name)} occurs twice`);
    }
    columns.push(column);
  }
  if (!names.includes('to')) return failed('missing_column', 'there is no column "to"');
  return { kind: 'columns', columns };
}

function columnOf(name: string): CsvColumn | undefined {
  if (textColumns.has(name)) return { kind: 'text', name };
  if (name === 'tags') return { kind: 'tags', name };
  const kind = objectKinds.find((object) => name.startsWith(`${object}.`));
  const entry = kind === undefined ? '' : name.slice(kind.length + 1);
  if (kind === undefined || entry === '') return undefined;
  // A template finds nothing under such a name: to it, the dot leads into another object.
  if (kind === 'params' && entry.includes('.')) return undefined;
  return { kind, name: entry };
}

function unknown(name: string): HeaderResult {
  const field = fieldNamed(name);
  if (field?.kind === 'unavailable') {
    return failed('column_not_available', `column ${quoted(name)} is not available in this version`);
  }
  if (field?.kind === 'route' || field?.kind === 'priority') {
    return failed('unknown_column', `${quoted(name)} is set once for the whole batch, not in a column`);
  }
  const known = `${[...textColumns].join(', ')}, tags, metadata.NAME and params.NAME`;
  return failed('unknown_column', `${quoted(name)} is not a column; there are ${known}`);
}

function failed(code: UploadProblem['code'], detail: string): HeaderResult {
  return { kind: 'problem', problem: { code, detail } };
}
