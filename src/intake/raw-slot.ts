import type { CsvColumn } from './csv-header.ts';
import type { Rejection } from './rejection.ts';

/** The records of a slot as they came, cut but not judged: what goes to a thread to be packed. */
export interface RawSlot {
  format: 'ndjson' | 'csv' | 'json';
  /** Lines `firstLine` to `firstLine + lines - 1` belong to this slot, blank and refused ones included. */
  firstLine: number;
  lines: number;
  /** Records, each followed by a line feed, in a buffer of the slot's own until it is packed. */
  bytes: Uint8Array;
  /** Where each record starts and ends in `bytes`. */
  starts: Uint32Array<ArrayBuffer>;
  ends: Uint32Array<ArrayBuffer>;
  /** The line of each record, counted from `firstLine`; absent when they follow one another without a gap. */
  lineOffsets?: Uint32Array<ArrayBuffer>;
  /** Records that were too long to keep. */
  refused: Rejection[];
  /** What the cells of a CSV record are. */
  columns?: readonly CsvColumn[];
}
