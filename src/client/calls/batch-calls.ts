import {
  type ExportedLines,
  type ExportLinesOptions,
  type ExportOptions,
  exportLines,
  exportMessages,
} from '../export-batch.ts';
import { type CsvExport, exportCsv } from '../export-csv.ts';
import type { Http, Page } from '../http.ts';
import { readRejections } from '../read-rejections.ts';
import type {
  AppendAnswer,
  Batch,
  BatchError,
  LineError,
  NewBatch,
  ReplayedBatch,
  ReplayFilter,
  ResolvedBatch,
} from '../resources/batch.ts';
import type { Message, MessageState, Resolution } from '../resources/message.ts';
import type { MessageSource } from '../segments.ts';
import {
  type AppendOptions,
  appendMessages,
  type SendOptions,
  type SentBatch,
  sendBatch,
} from '../send-batch.ts';
import { type UploadOptions, upload } from '../upload.ts';
import { type WaitOptions, waitUntilDone } from '../wait-until-done.ts';
import type { CallOptions, ListOptions, SignalOptions } from './options.ts';

export type BatchCalls = ReturnType<typeof batchCalls>;

export function batchCalls(http: Http) {
  const at = (id: string) => `/v1/batches/${encodeURIComponent(id)}`;
  const post = <T>(path: string, { body, ...options }: CallOptions & { body?: unknown }) =>
    http.value<T>({ method: 'POST', path, ...(body === undefined ? {} : { body }), ...options });
  return {
    /**
     * Sends all messages of a source as one batch: creates it, uploads, resumes where a connection broke, and closes it.
     * The same source and `idempotencyKey` again find the batch, and go on where it ended.
     */
    send: (source: MessageSource, options: SendOptions): Promise<SentBatch> =>
      sendBatch(http, source, options),
    /** An empty batch, to append to until it is closed. */
    create: (batch: NewBatch, options: CallOptions = {}): Promise<Batch> =>
      post('/v1/batches', { body: batch, ...options }),
    /** Sends further messages to an open batch. */
    append: (id: string, source: MessageSource, options: AppendOptions = {}): Promise<AppendAnswer> =>
      appendMessages(http, { batchId: id, source }, options),
    /** It takes no further messages, and is done when all that it has are in a final state. */
    close: (id: string, options: CallOptions = {}): Promise<Batch> => post(`${at(id)}/close`, options),
    get: (id: string, signal?: AbortSignal): Promise<Batch> => http.value({ path: at(id), signal }),
    /** A page of batches, the newest first. */
    page: ({ signal, ...query }: ListOptions = {}): Promise<Page<Batch>> =>
      http.value({ path: '/v1/batches', query, signal }),
    /** Every batch, the newest first. */
    all: ({ signal, ...query }: ListOptions = {}) =>
      http.items<Batch>({ path: '/v1/batches', query, signal }),
    /** Its messages, page after page. */
    messages: (id: string, { signal, ...query }: ListOptions & { state?: MessageState } = {}) =>
      http.items<Message>({ path: `${at(id)}/messages`, query, signal }),
    /** Every rejected line, in order. A stream that breaks is taken up again. */
    rejections: (id: string, options: SignalOptions = {}): AsyncGenerator<LineError, void, undefined> =>
      readRejections(http, { path: `${at(id)}/rejections`, ...options }),
    /** The errors that its messages met, the most frequent first, a hundred kinds at most. */
    errors: (id: string, signal?: AbortSignal): Promise<{ data: BatchError[] }> =>
      http.value({ path: `${at(id)}/errors`, signal }),
    /** Asks until every accepted message is in a final state. */
    waitUntilDone: (id: string, options: WaitOptions = {}): Promise<Batch> =>
      waitUntilDone(http, at(id), options),
    /** What was not sent yet waits until it is resumed. */
    pause: (id: string, options: CallOptions = {}): Promise<Batch> => post(`${at(id)}/pause`, options),
    resume: (id: string, options: CallOptions = {}): Promise<Batch> => post(`${at(id)}/resume`, options),
    /** What was not sent yet is canceled, and no further messages are taken. */
    cancel: (id: string, options: CallOptions = {}): Promise<Batch> => post(`${at(id)}/cancel`, options),
    /** Makes new attempts of its messages that are in these states. */
    replay: (id: string, filter: ReplayFilter, options: CallOptions = {}): Promise<ReplayedBatch> =>
      post(`${at(id)}/replay`, { body: filter, ...options }),
    /** Settles the uncertain messages of the batch. */
    resolve: (id: string, resolution: Resolution, options: CallOptions = {}): Promise<ResolvedBatch> =>
      post(`${at(id)}/resolve`, { body: resolution, ...options }),
    /**
     * Every message of the batch, in order of id, checked against the trailer of the stream. A cut stream is taken up
     * again behind its last whole line; one that does not match its trailer ends in a ConnectionError.
     */
    export: (id: string, options: ExportOptions = {}): AsyncGenerator<Message, void, undefined> =>
      exportMessages(http, { batchId: id, ...options }),
    /** The same as bytes, whole lines of NDJSON: to write millions of them to a file. */
    exportLines: (options: ExportLinesOptions): Promise<ExportedLines> => exportLines(http, options),
    /** CSV, checked against the trailer of the stream, which is not written: a stream that was cut, or ends in an error, is one. */
    exportCsv: (options: CsvExport): Promise<{ count: number }> => exportCsv(http, options),
    /** Sends lines of a source whose first line is the first of the batch; `send` and `append` find out the rest. */
    upload: (options: UploadOptions): Promise<AppendAnswer> => upload(http, options),
  };
}
