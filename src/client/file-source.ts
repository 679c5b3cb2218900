import { createReadStream, type ReadStream } from 'node:fs';
import { constants, createGunzip, createGzip } from 'node:zlib';
import { chain } from './chain.ts';
import { SourceError } from './client-error.ts';
import type { LineSource } from './line-source.ts';
import { skipLines } from './skip-lines.ts';

/** Read ahead of the socket: large enough that the file system is never waited for. */
const readBytes = 1_048_576;

export interface FileSourceSettings {
  path: string;
  /** Default: by the name, `.ndjson`, `.jsonl` or `.csv`. */
  format?: 'ndjson' | 'csv';
  /**
   * The file is gzip and goes as it is; from a later line on it is unpacked, cut and packed again. Default: by the
   * name, `.gz`.
   */
  gzip?: boolean;
}

export interface FileSource extends LineSource {
  /** Bytes of the file read so far by the stream opened last. */
  position(): number;
}

export function fileSource(settings: FileSourceSettings): FileSource {
  const { path, format = formatByName(path), gzip = path.toLowerCase().endsWith('.gz') } = settings;
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

function formatByName(path: string): 'ndjson' | 'csv' {
  const name = path.toLowerCase().replace(/\.gz$/, '');
  if (/\.(ndjson|jsonl)$/.test(name)) return 'ndjson';
  if (name.endsWith('.csv')) return 'csv';
  throw new SourceError(`${path} does not say by its name what it holds: give format "ndjson" or "csv"`);
}
