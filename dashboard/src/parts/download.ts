import { type CallOptions, request } from '../api/call.ts';
import { Problem } from '../api/problem.ts';

/** A cut stream has no last line such as these. */
const trailer = /^(?:# )?\{"trailer":/;
const failure = /^(?:# )?\{"error":/;
const tailBytes = 4_096;

/**
 * Saves what a path answers. The key goes in a header, so it cannot be a plain link; the browser keeps what comes as a
 * Blob, which lies on the disk when it is large.
 * @throws Problem where the stream was cut before its trailer
 */
export async function download(
  path: string,
  fileName: string,
  options: Pick<CallOptions, 'account'> = {},
): Promise<void> {
  const response = await request('GET', path, options);
  const blob = await response.blob();
  if (path.includes('/export')) await checkEnd(blob);
  save(blob, fileName);
}

export function save(blob: Blob, fileName: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function checkEnd(blob: Blob): Promise<void> {
  const text = await blob.slice(-tailBytes).text();
  const last = text.trimEnd().split('\n').at(-1) ?? '';
  if (trailer.test(last)) return;
  const why = failure.test(last) ? 'The server failed midway.' : 'The stream was cut.';
  throw new Problem({ status: 0, code: 'export_cut', detail: `${why} Nothing was saved: try again.` });
}
