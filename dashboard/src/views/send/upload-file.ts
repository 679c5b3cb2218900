import { call } from '../../api/call.ts';
import { Problem } from '../../api/problem.ts';
import type { Batch } from '../../api/shapes.ts';
import { keepTrying } from './keep-trying.ts';
import { type Format, lastRecordEnd, lineStart } from './records.ts';

export interface Upload {
  file: File;
  format: Format;
  dataStart: number;
  /** The header that goes before each part of CSV. */
  header: string;
  batch: string;
  /** Whose the batch is; `null` for the key's own. */
  account: string | null;
  signal: AbortSignal;
  onProgress: (progress: UploadProgress) => void;
}

export interface UploadProgress {
  sentBytes: number;
  accepted: number;
  rejected: number;
  errors: { line: number; code: string; detail: string }[];
  /** Why it waits for another try, while it does. */
  waiting: string | undefined;
}

interface Part {
  bytes: Uint8Array<ArrayBuffer>;
  /** Where it begins in the file, and which line of the batch that is. */
  start: number;
  line: number;
}

/** Of the file, what is in memory at a time. A record that is longer than the larger bound is none. */
const partBytes = 4 * 1_048_576;
const partBytesMax = 64 * 1_048_576;
const errorsMax = 100;

/**
 * Sends a file in parts that end with a record, one after the other. When the way to the server breaks, the batch says
 * which line comes next, and it goes on there: no line is lost or taken twice.
 * @throws Problem where the server refuses, or when it was stopped
 */
export async function uploadFile(upload: Upload): Promise<void> {
  const { file, signal, onProgress } = upload;
  const progress: UploadProgress = {
    sentBytes: upload.dataStart,
    accepted: 0,
    rejected: 0,
    errors: [],
    waiting: undefined,
  };
  // The header is line 1 of CSV.
  let line = upload.format === 'csv' ? 2 : 1;
  for (let start = upload.dataStart; start < file.size; ) {
    signal.throwIfAborted();
    const part = { bytes: await readPart(upload, start), start, line };
    const nextLine = await sendPart(upload, { part, progress });
    start += part.bytes.length;
    line = nextLine;
    progress.sentBytes = start;
    onProgress({ ...progress });
  }
}

async function readPart({ file, format }: Upload, start: number): Promise<Uint8Array<ArrayBuffer>> {
  for (let size = partBytes; ; size *= 2) {
    const bytes = new Uint8Array(await file.slice(start, start + size).arrayBuffer());
    if (start + bytes.length >= file.size) return bytes;
    const end = lastRecordEnd(bytes, format);
    if (end > 0) return bytes.subarray(0, end);
    if (size >= partBytesMax) {
      throw new Problem({
        status: 0,
        code: 'record_too_long',
        detail: 'A record of the file does not end: is a quote left open?',
      });
    }
  }
}

/** The line that comes behind it. */
async function sendPart(upload: Upload, at: { part: Part; progress: UploadProgress }): Promise<number> {
  const { batch, account, signal, onProgress, format, header } = upload;
  const { part, progress } = at;
  const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson';
  let { line } = part;
  let rest = part.bytes;
  let broken: Problem | undefined;
  const attempt = async () => {
    const next = broken && (await nextLineOf(upload, broken));
    if (next !== undefined && next > line) {
      // Its durable lines are passed over; what they came to is told by the batch.
      rest = rest.subarray(lineStart(rest, next - line));
      line = next;
      if (rest.length === 0) return next;
    }
    const answer = await call<{
      accepted: number;
      rejected: number;
      nextLine: number;
      errors: UploadProgress['errors'];
    }>('POST', `v1/batches/${batch}/messages`, {
      body: new Blob(format === 'csv' ? [header, rest] : [rest]),
      // The header is sent again with each part, and counted once.
      headers: { 'content-type': type, 'upload-line': String(line === 2 && format === 'csv' ? 1 : line) },
      ...{ account, signal },
    });
    progress.accepted += answer.accepted;
    progress.rejected += answer.rejected;
    progress.errors = [...progress.errors, ...answer.errors].slice(0, errorsMax);
    return answer.nextLine;
  };
  return await keepTrying(attempt, {
    signal,
    onWait(problem) {
      broken = problem;
      onProgress({ ...progress, waiting: problem.detail });
    },
  });
}

/** Undefined while the server cannot be asked. */
async function nextLineOf({ batch, account, signal }: Upload, problem: Problem): Promise<number | undefined> {
  if (typeof problem.members.nextLine === 'number') return problem.members.nextLine;
  try {
    return (await call<Batch>('GET', `v1/batches/${batch}`, { account, signal })).nextLine;
  } catch {
    return undefined;
  }
}
