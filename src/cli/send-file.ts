import { createHash, randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import {
  type Batch,
  type Client,
  type FileSource,
  fileSource,
  type LineError,
  type NewBatch,
} from '../client/client.ts';
import type { CommandContext } from './command-context.ts';
import { Failure } from './failure.ts';
import { formatAmount, formatCount, formatDuration } from './format.ts';
import { hasChanged, hashFile, type InputFile, inspectFile } from './input-file.ts';
import { createProgress, type Progress } from './progress.ts';

export interface SendFileOptions {
  client: Client;
  path: string;
  batch: NewBatch;
  format: 'ndjson' | 'csv' | undefined;
  /** Send it although the server knows the file. */
  again: boolean;
  quiet: boolean;
}

export interface SendFileResult {
  file: string;
  batchId: string;
  state: Batch['state'];
  alreadySent: boolean;
  accepted: number;
  rejected: number;
  /** The first rejections. */
  errors: LineError[];
  /** The line that an earlier run had reached, when this one went on from there. */
  resumedFrom?: number;
  /** Tries again after the connection broke. */
  retries: number;
  seconds: number;
}

const rejectionsShown = 5;

/**
 * Sends a file as one batch. The batch's idempotency key is the file's hash with everything else that decides what
 * is sent: the same command finds the same batch again, and goes on from its first line that is not durable.
 */
export async function sendFile(context: CommandContext, options: SendFileOptions): Promise<SendFileResult> {
  const { client, path, batch: wanted } = options;
  const startedAtMs = performance.now();
  const file = await inspectFile(path, options.format);
  const progress = createProgress(context.terminal, { quiet: options.quiet });
  try {
    const key = options.again
      ? `send-${randomUUID()}`
      : await keyOf(file, wanted, { progress, signal: context.signal });
    const created = await client.call<Batch>({
      method: 'POST',
      path: '/v1/batches',
      body: wanted,
      idempotencyKey: key,
    });
    const batch = created.replayed ? await client.batches.get(created.value.id) : created.value;
    const base = { file: path, batchId: batch.id, retries: 0 };
    if (batch.closedAt || batch.state === 'done' || batch.state === 'canceled') {
      return {
        ...base,
        ...(await summarize(client, batch)),
        alreadySent: true,
        seconds: secondsSince(startedAtMs),
      };
    }
    const resumed = batch.nextLine > 1;
    if (resumed) progress.note(`Going on with batch ${batch.id} from line ${formatCount(batch.nextLine)}.`);
    const retries = await uploadFile(context, { client, file, batch, progress });
    const done = await client.batches.close(batch.id);
    return {
      ...base,
      ...(await summarize(client, done)),
      alreadySent: false,
      ...(resumed ? { resumedFrom: batch.nextLine } : {}),
      retries,
      seconds: secondsSince(startedAtMs),
    };
  } finally {
    progress.stop();
  }
}

export function describeSendFile(result: SendFileResult): string {
  const { batchId, accepted, rejected, errors } = result;
  if (result.alreadySent) {
    const end =
      result.state === 'canceled' ? 'canceled' : `${formatAmount(accepted, 'message')}, ${result.state}`;
    return `already sent as batch ${batchId} (${end}); --again sends it once more`;
  }
  const lines = [
    `batch ${batchId}: ${formatAmount(accepted, 'message')} accepted in ${formatDuration(result.seconds * 1_000)}`,
  ];
  if (rejected > 0) {
    lines.push(rejected === 1 ? '1 line was not taken:' : `${formatCount(rejected)} lines were not taken:`);
    for (const { line, code, detail } of errors.slice(0, rejectionsShown))
      lines.push(`  line ${formatCount(line)}: ${code}: ${detail}`);
    if (rejected > errors.length || errors.length > rejectionsShown)
      lines.push(`  all of them: millrace batch rejections ${batchId}`);
  }
  lines.push(`follow it: millrace batch watch ${batchId}`);
  return lines.join('\n');
}

interface Surroundings {
  progress: Progress;
  signal: AbortSignal;
}

async function keyOf(file: InputFile, batch: NewBatch, { progress, signal }: Surroundings): Promise<string> {
  const bar = progress.bar('reading', { total: file.bytes, unit: 'bytes' });
  const content = await hashFile(file.path, (bytes) => bar.update(bytes), signal);
  const identity = JSON.stringify([content, file.format, Object.entries(batch).sort()]);
  return `send-${createHash('sha256').update(identity).digest('hex')}`;
}

interface FileUpload {
  client: Client;
  file: InputFile;
  batch: Batch;
  progress: Progress;
}

/** Answers how often it tried again. */
async function uploadFile(
  { signal }: CommandContext,
  { client, file, batch, progress }: FileUpload,
): Promise<number> {
  const source: FileSource = fileSource(file);
  const bar = progress.bar('sending', { total: file.bytes, unit: 'bytes' });
  const timer = setInterval(() => bar.update(source.position()), 100);
  let retries = 0;
  try {
    await client.batches.upload({
      batchId: batch.id,
      source,
      line: batch.nextLine,
      signal,
      onResume({ error, waitMs }) {
        retries++;
        progress.note(`${error.message}; trying again in ${formatDuration(waitMs)}`);
      },
    });
  } finally {
    clearInterval(timer);
  }
  bar.update(file.bytes);
  if (await hasChanged(file)) {
    throw new Failure(
      `${basename(file.path)} was changed while it was being sent; batch ${batch.id} is left open`,
      {
        hint: `Look at it with millrace batch show ${batch.id}, then close it: millrace batch close ${batch.id}`,
      },
    );
  }
  return retries;
}

async function summarize(
  client: Client,
  batch: Batch,
): Promise<Pick<SendFileResult, 'state' | 'accepted' | 'rejected' | 'errors'>> {
  const { accepted, rejected } = batch.counts;
  return {
    state: batch.state,
    accepted,
    rejected,
    errors: rejected > 0 ? await firstRejections(client, batch.id) : [],
  };
}

async function firstRejections(client: Client, batchId: string): Promise<LineError[]> {
  const errors: LineError[] = [];
  for await (const error of client.batches.rejections(batchId)) {
    errors.push(error);
    if (errors.length === 100) break;
  }
  return errors;
}

function secondsSince(startedAtMs: number): number {
  return Math.round(performance.now() - startedAtMs) / 1_000;
}
