import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { ApiError, asSourceError, mayPass, SourceError, UploadError } from './client-error.ts';
import type { Http } from './http.ts';
import type { LineSource } from './line-source.ts';
import { readRejections } from './read-rejections.ts';
import type { AppendAnswer, Batch, LineError, NewBatch } from './resources/batch.ts';
import {
  type BegunSegments,
  type BytesFormat,
  beginSegments,
  checkIterable,
  type MessageSource,
  type Segment,
  segmentsOf,
} from './segments.ts';
import { type UploadOptions, upload } from './upload.ts';

export interface AppendOptions
  extends BytesFormat,
    Pick<UploadOptions, 'noProgressMaxMs' | 'onResume' | 'signal'> {}

export interface SendOptions extends AppendOptions, NewBatch {
  /** The same one again finds the batch, and goes on where it ended. One is made up when absent. */
  idempotencyKey?: string;
}

export interface SentBatch extends Batch {
  /** The first 100 lines that were refused; `rejections` has all. */
  errors: LineError[];
}

const errorsListedMax = 100;
/** Who aborts waits no longer to hear what is durable. */
const lookAfterAbortMaxMs = 1_000;

export async function sendBatch(http: Http, source: MessageSource, options: SendOptions): Promise<SentBatch> {
  const { idempotencyKey = randomUUID(), ...others } = options;
  const { format = 'ndjson', gzip = false, noProgressMaxMs, onResume, signal, ...batch } = others;
  (signal ?? http.signal)?.throwIfAborted();
  if (!isLineSource(source)) checkIterable(source);
  // A key that somebody chose may find a batch that needs nothing more of a source, which may be gone by now.
  const isNew = options.idempotencyKey === undefined;
  const begun = isNew ? await beginToRead(source, { format, gzip }) : undefined;
  try {
    const created = await http.call<Batch>({
      ...{ method: 'POST', path: '/v1/batches', body: batch },
      ...{ idempotencyKey, signal },
    });
    const path = pathOfBatch(created.value.id);
    const found = created.replayed ? await http.value<Batch>({ path, signal }) : created.value;
    const { id: batchId, nextLine: line } = found;
    return await tellingWhatIsDurable(
      http,
      { batchId, line, idempotencyKey, isNew, signal },
      async (reach) => {
        let sent = found;
        if (!isClosed(sent)) {
          const place = { ...options, batchId, line };
          if (isLineSource(source)) reach((await upload(http, { ...place, source })).nextLine);
          else {
            const cutting = { skip: line - 1, headerCounts: line === 1, format, gzip };
            await uploadInSegments(http, {
              ...place,
              reach,
              segments: begun?.segments ?? segmentsOf(source, cutting),
            });
          }
          sent = await http.value<Batch>({ method: 'POST', path: `${path}/close`, signal });
        }
        const errors = sent.counts.rejected > 0 ? await rejectionsFrom(http, { path, line: 1, signal }) : [];
        return { ...sent, errors };
      },
    );
  } finally {
    await begun?.end();
  }
}

/** Before a batch is made: of what cannot be read none is left. Of a source that is read once the first segment is held. */
async function beginToRead(
  source: MessageSource,
  bytes: Required<BytesFormat>,
): Promise<BegunSegments | undefined> {
  if (!isLineSource(source))
    return await beginSegments(segmentsOf(source, { ...bytes, skip: 0, headerCounts: true }));
  const body = source.open(1);
  try {
    await body[Symbol.asyncIterator]().next();
  } catch (error) {
    throw asSourceError(error);
  } finally {
    body.destroy();
  }
  return undefined;
}

export async function appendMessages(
  http: Http,
  { batchId, source }: { batchId: string; source: MessageSource },
  options: AppendOptions,
): Promise<AppendAnswer> {
  const { signal } = options;
  const path = pathOfBatch(batchId);
  const before = await http.value<Batch>({ path, signal });
  const line = before.nextLine;
  const {
    source: read,
    format = 'ndjson',
    gzip = false,
  } = isLineSource(source) ? fromItsStart(source) : { ...options, source };
  const segments = segmentsOf(read, { skip: 0, headerCounts: line === 1, format, gzip });
  await tellingWhatIsDurable(http, { batchId, line, signal }, (reach) =>
    uploadInSegments(http, { ...options, format, batchId, line, segments, reach }),
  );
  const after = await http.value<Batch>({ path, signal });
  const rejected = after.counts.rejected - before.counts.rejected;
  return {
    accepted: after.counts.accepted - before.counts.accepted,
    rejected,
    nextLine: after.nextLine,
    errors: rejected > 0 ? await rejectionsFrom(http, { path, line, signal }) : [],
  };
}

function pathOfBatch(id: string): string {
  return `/v1/batches/${encodeURIComponent(id)}`;
}

function isClosed({ closedAt, state }: Batch): boolean {
  return Boolean(closedAt) || state === 'canceled';
}

function isLineSource(source: MessageSource): source is LineSource {
  return typeof source === 'object' && source !== null && 'open' in source && 'contentType' in source;
}

/** Its lines count from its own first one, which is not that of the batch. */
function fromItsStart(source: LineSource): BytesFormat & { source: Exclude<MessageSource, LineSource> } {
  return {
    source: source.open(1),
    format: source.contentType === 'text/csv' ? 'csv' : 'ndjson',
    gzip: source.contentEncoding === 'gzip',
  };
}

interface SegmentedUpload extends AppendOptions {
  batchId: string;
  segments: AsyncIterable<Segment>;
  /** The line of the batch that comes next. */
  line: number;
  /** Told of each line before which all is durable. */
  reach: (nextLine: number) => void;
}

/** A source that is read once goes up in segments, each kept until it is durable: what breaks is resumed within it. */
async function uploadInSegments(http: Http, settings: SegmentedUpload): Promise<void> {
  const { batchId, segments, reach, format = 'ndjson' } = settings;
  const { noProgressMaxMs, onResume, signal } = settings;
  let { line } = settings;
  for await (const segment of segments) {
    await upload(http, {
      batchId,
      line,
      source: segmentSource(segment, { line, format }),
      ...(noProgressMaxMs !== undefined && { noProgressMaxMs }),
      ...(onResume && { onResume }),
      signal,
    });
    line += segment.lines;
    reach(line);
  }
}

function segmentSource(
  { bytes, lines, header }: Segment,
  at: { line: number; format: 'ndjson' | 'csv' },
): LineSource {
  return {
    contentType: at.format === 'csv' ? 'text/csv' : 'application/x-ndjson',
    open(line) {
      const skip = line - at.line;
      if (skip < 0 || skip > lines) {
        throw new SourceError(
          `the server expects line ${line}, and others than this upload sent to the batch`,
        );
      }
      let start = 0;
      for (let passed = 0; passed < skip; passed++) start = bytes.indexOf(0x0a, start) + 1 || bytes.length;
      const rest = bytes.subarray(start);
      return Readable.from(line > 1 && header ? [header, rest] : [rest], { objectMode: false });
    },
  };
}

interface Place {
  batchId: string;
  line: number;
  idempotencyKey?: string;
  /** Nobody else knows its key. */
  isNew?: boolean;
  signal: AbortSignal | undefined;
}

/** A batch that was closed or canceled meanwhile, which the server says, is not to be gone on with. */
async function tellingWhatIsDurable<T>(
  http: Http,
  { line, isNew, signal, ...place }: Place,
  work: (reach: (nextLine: number) => void) => Promise<T>,
): Promise<T> {
  let reached = line;
  try {
    return await work((nextLine) => {
      reached = nextLine;
    });
  } catch (error) {
    const aborted = (signal ?? http.signal)?.aborted;
    const path = pathOfBatch(place.batchId);
    const batch = await http
      .value<Batch>({ path, signal: aborted ? AbortSignal.timeout(lookAfterAbortMaxMs) : signal })
      .catch(() => undefined);
    if (batch && isClosed(batch) && error instanceof ApiError) throw error;
    const nextLine = Math.max(reached, batch?.nextLine ?? 0);
    if (isNew && batch && nextLine === 1 && isRefusal(error) && (await cancelEmpty(http, path))) {
      throw new UploadError({ batchId: place.batchId, nextLine, left: 'canceled' }, error);
    }
    const left = batch && isClosed(batch) ? 'closed' : 'open';
    throw new UploadError({ ...place, nextLine, left }, error);
  }
}

/** The server has answered, so nothing is on its way; another upload of the batch may be. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.code !== 'upload_superseded' && !mayPass(error);
}

/** Whether it could be. */
async function cancelEmpty(http: Http, path: string): Promise<boolean> {
  const canceled = await http.value<Batch>({ method: 'POST', path: `${path}/cancel` }).catch(() => undefined);
  return canceled?.nextLine === 1;
}

async function rejectionsFrom(
  http: Http,
  { path, line, signal }: { path: string; line: number; signal: AbortSignal | undefined },
): Promise<LineError[]> {
  const errors: LineError[] = [];
  for await (const error of readRejections(http, { path: `${path}/rejections`, signal })) {
    if (error.line >= line) errors.push(error);
    if (errors.length === errorsListedMax) break;
  }
  return errors;
}
