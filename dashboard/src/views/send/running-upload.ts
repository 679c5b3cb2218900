import { effect, signal } from '@preact/signals';
import { call } from '../../api/call.ts';
import { asProblem, type Problem } from '../../api/problem.ts';
import { actsFor, apiKey, signedOutBecause } from '../../api/session.ts';
import type { Batch } from '../../api/shapes.ts';
import { keepTrying } from './keep-trying.ts';
import type { OpenedFile } from './open-file.ts';
import { headerLine } from './records.ts';
import { batchOf, type SendOptions } from './send-options.ts';
import { type UploadProgress, uploadFile } from './upload-file.ts';

export interface Running {
  fileName: string;
  size: number;
  start: SendOptions['start'];
  /** Whose batch it is: what an administrator looks at meanwhile changes nothing. */
  account: string | null;
  /** Absent until the server has made it. */
  batch: string | undefined;
  progress: UploadProgress;
  /** Of the whole upload; `refused` is without a batch. */
  ended: 'no' | 'done' | 'stopped' | 'refused';
  problem: Problem | undefined;
}

const noProgress = { sentBytes: 0, accepted: 0, rejected: 0, errors: [], waiting: undefined };

/** The upload of this tab, which goes on whatever view one looks at. One runs at a time. */
export const running = signal<Running | null>(null);
let stopping: AbortController | undefined;

/** Does nothing while another upload runs. `key` makes a batch once, however often it is tried. */
export async function beginUpload(upload: {
  opened: OpenedFile;
  options: SendOptions;
  /** What the columns are called to the server. */
  mapped: string[];
  key: string;
}): Promise<void> {
  if (running.value?.ended === 'no') return;
  const { file } = upload.opened;
  const abort = new AbortController();
  stopping = abort;
  running.value = {
    ...{ fileName: file.name, size: file.size, start: upload.options.start, account: actsFor.value },
    ...{ batch: undefined, progress: noProgress, ended: 'no', problem: undefined },
  };
  const release = holdPage();
  try {
    await send(upload, abort.signal);
  } catch (error) {
    const problem = abort.signal.aborted ? undefined : asProblem(error);
    show({ ended: running.value?.batch === undefined ? 'refused' : 'stopped', problem });
  } finally {
    release();
  }
}

export function stopUpload(): void {
  stopping?.abort();
}

/** An upload that has ended is shown no more. */
export function forgetUpload(): void {
  if (running.value?.ended !== 'no') running.value = null;
}

/** @throws Problem where the server refuses, or when it was stopped */
async function send(
  { opened, options, mapped, key }: Parameters<typeof beginUpload>[0],
  signal: AbortSignal,
): Promise<void> {
  const { file, format, dataStart } = opened;
  const { account } = running.value!;
  const { id: batch } = await call<Batch>('POST', 'v1/batches', {
    body: batchOf(options),
    headers: { 'idempotency-key': key },
    ...{ account, signal },
  });
  show({ batch });
  const header = format === 'csv' ? headerLine(mapped) : '';
  const onProgress = (progress: UploadProgress) => show({ progress });
  await uploadFile({ file, format, dataStart, header, batch, account, signal, onProgress });
  // What became durable before a break of the way is in the counts of the batch alone.
  // Closing a batch again changes nothing, so an answer that was lost is asked for once more.
  const close = () => call<Batch>('POST', `v1/batches/${batch}/close`, { account, signal });
  const onWait = ({ detail }: Problem) =>
    onProgress({ ...(running.value?.progress ?? noProgress), waiting: detail });
  const { counts } = await keepTrying(close, { signal, onWait });
  const { accepted, rejected } = counts;
  show({ ended: 'done', progress: { ...running.value!.progress, accepted, rejected } });
}

/** Nothing is to be shown once somebody has signed out. */
function show(change: Partial<Running>): void {
  if (running.value !== null) running.value = { ...running.value, ...change };
}

/** While it runs the browser asks before the page is left, and whoever signs out ends it. */
function holdPage(): () => void {
  const ask = (event: Event) => event.preventDefault();
  addEventListener('beforeunload', ask);
  const unwatch = effect(() => {
    if (apiKey.value !== null) return;
    stopUpload();
    // The next one at this tab may be another person. Who was signed out finds what became of it.
    if (signedOutBecause.peek() === null) running.value = null;
  });
  return () => {
    removeEventListener('beforeunload', ask);
    unwatch();
  };
}
