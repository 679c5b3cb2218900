import { createReadStream, type ReadStream } from 'node:fs';
import { pipeline, type Readable, type Transform } from 'node:stream';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { SourceError } from './client-error.ts';
import type { LineSource } from './line-source.ts';
import { skipLines } from './skip-lines.ts';

/** Read ahead of the socket: large enough that the file system is never waited for. */
const readBytes = 1_048_576;

export interface FileSourceSettings {
  path: string;
  format: 'ndjson' | 'csv';
  /** The file is gzip and goes as it is; from a later line on it is unpacked, cut and packed again. */
  gzip: boolean;
}

export interface FileSource extends LineSource {
  /** Bytes of the file read so far by the stream opened last. */
  position(): number;
}

export function fileSource({ path, format, gzip }: FileSourceSettings): FileSource {
  let file: ReadStream | undefined;
  return {
    contentType: format === 'csv' ? 'text/csv' : 'application/x-ndjson',
    ...(gzip ? { contentEncoding: 'gzip' as const } : {}),
    position: () => file?.bytesRead ?? 0,
    open(line) {
      file = createReadStream(path, { highWaterMark: readBytes });
      if (line <= 1) return file;
      const skip = skipLines(line, format);
      return gzip
        ? chain(file, [createGunzip(), skip, createGzip({ level: constants.Z_BEST_SPEED })])
        : chain(file, [skip]);
    },
  };
}

function chain(file: ReadStream, steps: [...Transform[], Transform]): Readable {
  const last = steps[steps.length - 1]!;
  pipeline([file, ...steps], (error) => {
    if (error && !last.destroyed)
      last.destroy(error instanceof SourceError ? error : new SourceError(error.message, { cause: error }));
  });
  return last;
}
