import type { Clock } from '../lib/clock.ts';
import type { Semaphore } from '../lib/semaphore.ts';
import type { Amount } from '../message/allowance.ts';
import { ProblemError } from '../message/error-codes.ts';
import { type Priority, priorityName } from '../message/fields.ts';
import type { Database } from '../store/database.ts';
import type { IdMint } from '../store/id-mint.ts';
import type { Refusal } from '../store/intake/charge.ts';
import { createBatch, type NewBatch } from '../store/intake/create-batch.ts';
import { createWholeBatch } from '../store/intake/create-whole-batch.ts';
import { type BegunUpload, beginUpload, checkpointUpload, readPriority } from '../store/intake/uploads.ts';
import { cutSlot } from './cut-slot.ts';
import { DurableLines } from './durable-lines.ts';
import type { ChunksStored } from './group-commit.ts';
import type { PendingHints } from './hints.ts';
import { type Judgement, type JudgeRequest, judgeUpload } from './judge-upload.ts';
import { isCharged, type JudgingSettings, openJudging, Tally } from './judging.ts';
import type { LoadShedding } from './load-shedding.ts';
import { createPacking } from './packing.ts';
import { readUploadBody } from './read-upload-body.ts';
import { refuse } from './refusal-problem.ts';
import type { Rejection } from './rejection.ts';
import { retryStore } from './retry-store.ts';
import type { SlotBuffers } from './slot-buffers.ts';
import { openCutter, type UploadFormat } from './slot-cutter.ts';
import { createSlotWriter } from './slot-writer.ts';
import { filledByOneRequest, supersededProblem } from './upload-conflicts.ts';

/** A batch, and the account that asks for it. */
export interface BatchKey {
  batch: string;
  accountId: number;
}

export interface UploadRequest extends BatchKey {
  /** A test key sends it. */
  test: boolean;
  /** The batch is filled by this request alone. */
  atomic: boolean;
  format: UploadFormat;
  /** The decompressed body. Ends early by throwing, as a request does whose connection broke. */
  body: AsyncIterable<Uint8Array>;
  /** `Upload-Line`: the line of the batch that the body begins with. Absent: the next one. */
  uploadLine?: number;
  /** The hash of the Idempotency-Key that it came with. */
  key?: bigint;
  /** Go on with this upload, begun at `firstLine`, whose lines may be durable already: a keyed body sent again. */
  again?: { upload: number | undefined; firstLine: number };
  /** Told where the upload begins, before anything of it is stored. */
  onBegun?: (begun: { upload: number; firstLine: number }) => Promise<void>;
  /** Called about once a second while the upload runs. */
  onAlive?: () => Promise<void>;
  signal: AbortSignal;
  /** The sender has gone: nobody waits for the answer any more. */
  gone?: AbortSignal;
}

export interface UploadResult {
  /** Of this upload, without the lines that were durable before. */
  accepted: number;
  rejected: number;
  /** The first line of the batch that is not durable. */
  nextLine: number;
  /** The first rejections, `limits.errorsListedMax` at most. */
  errors: Rejection[];
}

/** Lines of an upload that have become durable. */
interface StoredLines {
  accountId: number;
  routeId: number;
  priority: Priority;
  accepted: number;
  rejected: number;
}

export interface BatchUploadsSettings extends JudgingSettings {
  database: Database;
  mint: IdMint;
  clock: Clock;
  /** Bodies are cut into these. */
  buffers?: SlotBuffers;
  /** Transactions that begin uploads, store their slots and note their ends, of all uploads together. */
  stores: Semaphore;
  /** The same of those that note how far an upload is. */
  checkpoints: Semaphore;
  hints: PendingHints;
  shedding: Pick<LoadShedding, 'isOn' | 'problemOf'>;
  onStored: (event: StoredLines) => void;
  /** Chunks became durable, in a transaction that began then on the monotonic clock. */
  onChunks?: ChunksStored;
  /** An upload has ended where the account may not send more. */
  onRefused: (refusal: Refusal) => void;
  /** Told of faults that end no upload: a checkpoint that could not be written, or a key not kept locked. */
  onError?: (error: unknown) => void;
}

/** Slots that are being packed or wait for it, of one upload: two for each core of a small machine. */
const packsAheadMax = 6;
const checkpointMs = 1_000;

/** Uploads to batches: one at a time for a batch; a new one ends the one that still runs. */
export class BatchUploads {
  private readonly settings: BatchUploadsSettings;
  /** By batch and account: nobody ends an upload of another account by knowing its batch. */
  private readonly running = new Map<string, { stop: AbortController; ended: Promise<unknown> }>();

  constructor(settings: BatchUploadsSettings) {
    this.settings = settings;
  }

  /**
   * Streams a body into a batch. Resolves when all of it is durable.
   * @throws ProblemError with `nextLine` among its members once the upload has begun
   */
  async upload(request: UploadRequest): Promise<UploadResult> {
    const place = placeOf(request);
    const older = this.running.get(place);
    older?.stop.abort(supersededProblem());
    const stop = new AbortController();
    const signal = AbortSignal.any([request.signal, stop.signal]);
    const ended = (async () => {
      await older?.ended;
      signal.throwIfAborted();
      return await runUpload(this.settings, { ...request, signal });
    })();
    // Whoever waits for its end need not know how it ended: the sender is told.
    const entry = { stop, ended: ended.catch(() => {}) };
    this.running.set(place, entry);
    try {
      return await ended;
    } finally {
      if (this.running.get(place) === entry) this.running.delete(place);
    }
  }

  /** What would become of an upload; nothing of it is stored. */
  judge(request: JudgeRequest): Promise<Judgement> {
    return judgeUpload({ ...this.settings, packsAheadMax }, request);
  }

  /**
   * Makes a batch of which so many messages were judged, and charges for them; undefined where nobody is charged.
   * @throws ProblemError `quota_exceeded` or `credit_exhausted` where the account may not send them whole: there is no batch then
   */
  async createWhole(batch: NewBatch, amount: Amount | undefined): Promise<void> {
    const { database, clock } = this.settings;
    const make = async () => {
      if (amount) return await createWholeBatch(database, batch, amount);
      await createBatch(database, batch);
      return undefined;
    };
    const refusal = await retryStore(make, { clock });
    if (refusal) refuse(this.settings, refusal);
  }

  /** Ends the upload to a batch that is being closed by somebody else, and waits for its last commit. */
  async end(key: BatchKey): Promise<void> {
    const entry = this.running.get(placeOf(key));
    entry?.stop.abort(supersededProblem());
    await entry?.ended;
  }

  /** Ends all uploads; what they sent so far is durable then, or was never acknowledged. */
  async stop(): Promise<void> {
    for (const { stop } of this.running.values()) {
      stop.abort(new ProblemError('stopping', 'The server is stopping; resume the upload from nextLine.'));
    }
    await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }
}

function placeOf({ batch, accountId }: BatchKey): string {
  return `${accountId}:${batch}`;
}

async function runUpload(settings: BatchUploadsSettings, request: UploadRequest): Promise<UploadResult> {
  await shed(settings, request);
  const begun = await begin(settings, request);
  const durable = new DurableLines(begun.nextLine, begun.durable);
  const firstLine = request.again?.firstLine ?? begun.nextLine;
  try {
    if (request.uploadLine !== undefined && request.uploadLine !== begun.nextLine) {
      throw new ProblemError(
        'upload_line_mismatch',
        `Upload-Line is ${request.uploadLine}, but the batch goes on at line ${begun.nextLine}.`,
      );
    }
    await request.onBegun?.({ upload: begun.upload, firstLine });
    const result = await streamIn(settings, { request, begun, durable, firstLine });
    const open = await settings.stores.run(() =>
      checkpoint(settings, { request, begun, durable, ended: true }),
    );
    if (!open) throw supersededProblem();
    return { ...result, nextLine: durable.nextLine };
  } catch (error) {
    // Not ended: a COMMIT whose answer was lost may still come.
    if (durable.nextLine > begun.nextLine) {
      await settings.stores
        .run(() => checkpoint(settings, { request, begun, durable, ended: false }))
        .catch((fault) => settings.onError?.(fault));
    }
    if (error instanceof ProblemError) error.extra.nextLine = durable.nextLine;
    throw error;
  }
}

/** Before it begins, which would end the upload that is still running. */
async function shed(settings: BatchUploadsSettings, { batch, accountId }: BatchKey): Promise<void> {
  const { database, stores, shedding } = settings;
  if (!shedding.isOn) return;
  const priority = await stores.run(() => readPriority(database, { batch, accountId }));
  const problem = priority === undefined ? undefined : shedding.problemOf(priorityName(priority));
  if (problem) throw problem;
}

async function begin(settings: BatchUploadsSettings, request: UploadRequest): Promise<BegunUpload> {
  const { database, clock, stores } = settings;
  const { batch, accountId, test, atomic, key, again, signal } = request;
  const asked = {
    ...{ batch, accountId, test, atomic },
    ...(key !== undefined && { key }),
    ...(again?.upload !== undefined && { after: again.upload }),
  };
  const attempt = async () => {
    // Its turn may come long after its sender has gone.
    request.gone?.throwIfAborted();
    return await beginUpload(database, asked);
  };
  const result = await retryStore(() => stores.run(attempt), { clock, signal });
  if (result.kind === 'begun') return result.upload;
  if (result.kind === 'missing') throw new ProblemError('not_found', `There is no batch ${batch}.`);
  if (result.kind === 'atomic') throw filledByOneRequest(batch);
  if (result.kind === 'of_test_key') {
    const detail = `Batch ${batch} was made with a test key, and what is added to it is sent to nobody: add to it with a test key, or make another.`;
    throw new ProblemError('conflict', detail);
  }
  if (result.kind === 'of_another_key') {
    const detail = `Batch ${batch} was not made with a test key, and what is added to it is sent in earnest: make another with the test key.`;
    throw new ProblemError('conflict', detail);
  }
  if (result.kind === 'closed') {
    throw new ProblemError('batch_closed', `Batch ${batch} is closed; make another for further messages.`);
  }
  throw new ProblemError(
    'upload_superseded',
    'Other uploads to this batch came after the one with this key, so it cannot be told which lines are new.',
  );
}

async function streamIn(
  settings: BatchUploadsSettings,
  {
    request,
    begun,
    durable,
    firstLine,
  }: { request: UploadRequest; begun: BegunUpload; durable: DurableLines; firstLine: number },
): Promise<Omit<UploadResult, 'nextLine'>> {
  const { clock } = settings;
  const { batch, accountId, format } = request;
  const judging = await openJudging(settings, { ...begun, accountId });
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  // Of an upload whose sender has gone, what was taken in becomes durable, and what waits for its turn does not.
  const wanted = request.gone ? AbortSignal.any([signal, request.gone]) : signal;
  const tally = new Tally();
  const lane = { accountId, routeId: begun.routeId, priority: priorityName(begun.priority) };
  const writer = createSlotWriter({
    ...settings,
    isCharged: () => isCharged(settings, { ...begun, accountId }),
    signal,
    cut: (packed, endLine) => cutSlot(packed, endLine, packed.judgedBy!),
    target: {
      ...{ batch, accountId, ...begun, held: begun.startOn === 'close' },
      isTemplated: judging.isTemplated,
    },
    onPending: (hints) => settings.hints.push(hints),
    onKeyed(accepted) {
      settings.onStored({ ...lane, accepted, rejected: 0 });
    },
    onDurable(slots, beganAtMs) {
      const chunks = slots.flatMap(({ chunk }) => (chunk ? [chunk] : []));
      settings.onChunks?.(chunks, { batch, beganAtMs });
      for (const slot of slots) {
        durable.add(slot);
        const { accepted, rejected } = slot;
        settings.onStored({ ...lane, accepted, rejected });
      }
    },
  });
  const cutter = openCutter(format, {
    firstLine,
    skip: skipped({ firstLine, begun }),
    ...(settings.buffers && { buffers: settings.buffers }),
  });
  const packing = createPacking({
    pack: (slot) => judging.judge(slot, wanted),
    async take(packed) {
      tally.add(packed);
      await writer.add(packed);
    },
    aheadMax: packsAheadMax,
  });
  const alive = keepAlive(settings, {
    request,
    begun,
    durable,
    signal: wanted,
    onLost: (error) => stop.abort(error),
  });
  try {
    await readUploadBody({
      body: request.body,
      ...{ cutter, packing, signal, clock },
      flush: () => writer.flush(),
    });
    await packing.settle();
    await writer.settle();
    return tally;
  } catch (error) {
    // The connection broke or something failed: what was handed to the writer becomes durable if it can. Where it
    // cannot, that is the failure that is thrown here, or follows from it.
    await packing.settle().catch(() => {});
    await writer.settle().catch(() => {});
    throw error;
  } finally {
    stop.abort();
    await alive;
  }
}

/** Lines before the batch's next one, sent again, and those that lie durable behind it. */
function skipped({ firstLine, begun }: { firstLine: number; begun: BegunUpload }) {
  const before = firstLine < begun.nextLine ? [{ firstLine, lines: begun.nextLine - firstLine }] : [];
  return [...before, ...begun.durable];
}

async function keepAlive(
  settings: BatchUploadsSettings,
  {
    request,
    begun,
    durable,
    signal,
    onLost,
  }: {
    request: UploadRequest;
    begun: BegunUpload;
    durable: DurableLines;
    signal: AbortSignal;
    onLost: (error: unknown) => void;
  },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await settings.clock.sleep(checkpointMs, signal);
      const open = await settings.checkpoints.run(
        async () => signal.aborted || (await checkpoint(settings, { request, begun, durable, ended: false })),
      );
      if (!open) onLost(supersededProblem());
      await request.onAlive?.();
    } catch (error) {
      // The next turn tries again; what is durable does not depend on the checkpoint. A key whose lock runs out
      // meanwhile lets another try begin, which ends this one.
      if (!signal.aborted) settings.onError?.(error);
    }
  }
}

async function checkpoint(
  { database }: BatchUploadsSettings,
  {
    request,
    begun,
    durable,
    ended,
  }: { request: UploadRequest; begun: BegunUpload; durable: DurableLines; ended: boolean },
): Promise<boolean> {
  const { batch } = request;
  const { nextLine } = durable;
  return await checkpointUpload(database, { batch, upload: begun.upload, nextLine, ended });
}
