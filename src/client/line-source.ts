import type { Readable } from 'node:stream';

/** Input that can be sent again from a line on, which is what resuming an upload takes. */
export interface LineSource {
  readonly contentType: 'application/x-ndjson' | 'text/csv';
  readonly contentEncoding?: 'gzip';
  /**
   * The body from line `line` on (1 is the first; physical lines). Of CSV the header comes first whatever
   * the line, as the server expects it. A fault of the input destroys the stream with a SourceError.
   */
  open(line: number): Readable;
}
