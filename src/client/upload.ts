import { performance } from 'node:perf_hooks';
import { ApiError, type ConnectionError, mayPass } from './client-error.ts';
import { type Http, pathOf } from './http.ts';
import type { LineSource } from './line-source.ts';
import type { AppendAnswer, Batch } from './resources/batch.ts';
import { retryWaitMs, wait } from './retry-wait.ts';

export interface UploadOptions {
  batchId: string;
  source: LineSource;
  /** The first line to send: the batch's `nextLine`. */
  line: number;
  /** Closes the batch with the last line. */
  close?: boolean;
  /** How long to go on trying while no further line becomes durable. */
  noProgressMaxMs?: number;
  /** Called before a broken upload is tried again. */
  onResume?(event: { line: number; error: Error; waitMs: number }): void;
  signal?: AbortSignal | undefined;
}

/** Five minutes: a database failover or a restart of the server lasts less. */
const noProgressDefaultMs = 300_000;

/**
 * Sends the lines of `source` to an open batch, going on from the first line that is not durable whenever the
 * connection breaks. Returns the answer of the request that reached the end: its counts are of that request.
 */
export async function upload(http: Http, options: UploadOptions): Promise<AppendAnswer> {
  const { batchId, signal, noProgressMaxMs = noProgressDefaultMs } = options;
  let line = options.line;
  let failures = 0;
  let progressAtMs = performance.now();
  for (;;) {
    try {
      return await append(http, { ...options, line });
    } catch (error) {
      if (signal?.aborted || !isResumable(error) || performance.now() - progressAtMs > noProgressMaxMs)
        throw error;
      failures++;
      const waitMs = retryWaitMs(failures, 10_000) + (retryAfterOf(error) ?? 0);
      options.onResume?.({ line, error, waitMs });
      await wait(waitMs, signal);
    }
    const batch = await readBatch(http, batchId, signal);
    // The answer was lost, the work was not: the end of the body had closed the batch.
    if (batch !== undefined && options.close && batch.closedAt) return answerOf(batch);
    if (batch !== undefined && batch.nextLine > line) {
      [line, failures, progressAtMs] = [batch.nextLine, 0, performance.now()];
    }
  }
}

interface AppendRequest extends UploadOptions {
  line: number;
}

async function append(
  http: Http,
  { batchId, source, line, close, signal }: AppendRequest,
): Promise<AppendAnswer> {
  const answer = await http.upload({
    method: 'POST',
    path: pathOf(`/v1/batches/${encodeURIComponent(batchId)}/messages`, { close: close || undefined }),
    headers: {
      'content-type': source.contentType,
      'upload-line': String(line),
      ...(source.contentEncoding === undefined ? {} : { 'content-encoding': source.contentEncoding }),
    },
    body: source.open(line),
    signal,
  });
  return answer as AppendAnswer;
}

/**
 * Of the conflicts only a wrong `Upload-Line` is tried again. `upload_superseded` is final: another upload of the
 * batch has taken over, and to fight it would only end it in turn. A quota that is used up may take a day.
 */
function isResumable(error: unknown): error is ConnectionError | ApiError {
  if (error instanceof ApiError && error.code === 'quota_exceeded') return false;
  return mayPass(error) || (error instanceof ApiError && error.code === 'upload_line_mismatch');
}

function retryAfterOf(error: Error): number | undefined {
  return error instanceof ApiError ? error.retryAfterMs : undefined;
}

/** Undefined while the server cannot tell: the next try finds out. */
async function readBatch(
  http: Http,
  batchId: string,
  signal: AbortSignal | undefined,
): Promise<Batch | undefined> {
  try {
    return await http.value<Batch>({ path: `/v1/batches/${encodeURIComponent(batchId)}`, signal });
  } catch (error) {
    if (isResumable(error)) return undefined;
    throw error;
  }
}

function answerOf({ counts, nextLine }: Batch): AppendAnswer {
  return { accepted: counts.accepted, rejected: counts.rejected, nextLine, errors: [] };
}
