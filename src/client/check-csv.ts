import { createHash } from 'node:crypto';
import { ApiError, ConnectionError, readProblem } from './client-error.ts';

/** Longer than any trailer, or problem document, that ends an export. */
const lastLineBytesMax = 65_536;

/**
 * Passes on the rows of a CSV export, whose last line is `# {"trailer": {"count", "sha256"}}` of all before it, or
 * `# {"error": …}`. That line is kept back, as a spreadsheet would show it. Ends with what is wrong unless it is the
 * trailer, and it fits; else `onWhole` is told the count.
 */
export async function* checkCsv(
  bytes: AsyncIterable<Buffer>,
  onWhole: (count: number) => void,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  /** The last line so far, which only the end of the stream shows to be one. */
  let held: Buffer = Buffer.alloc(0);
  for await (const part of bytes) {
    const joined = held.length === 0 ? part : Buffer.concat([held, part]);
    let end = joined.lastIndexOf('\n', -2) + 1;
    if (joined.length - end > lastLineBytesMax) end = joined.length - lastLineBytesMax;
    const rows = joined.subarray(0, end);
    hash.update(rows);
    held = joined.subarray(end);
    if (rows.length > 0) yield rows;
  }
  const { error, trailer } = readLast(held);
  if (error !== undefined) throw new ApiError(readProblem(503, JSON.stringify(error)));
  if (trailer === undefined) throw new ConnectionError('broken', 'the export ended without its trailer');
  const sha256 = hash.digest('hex');
  if (trailer.sha256 !== sha256) {
    throw new ConnectionError(
      'protocol',
      `the export does not match its trailer: SHA-256 ${trailer.sha256}; got ${sha256}`,
    );
  }
  onWhole(trailer.count);
}

interface LastLine {
  error?: object;
  trailer?: { count: number; sha256: string };
}

function readLast(line: Buffer): LastLine {
  const text = line.toString('utf8');
  if (!text.startsWith('# {')) return {};
  try {
    return JSON.parse(text.slice(2)) as LastLine;
  } catch {
    return {};
  }
}
