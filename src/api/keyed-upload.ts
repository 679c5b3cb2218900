import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UploadRequest, UploadResult } from '../intake/batch-uploads.ts';
import type { JudgedBatch, Tally } from '../intake/judging.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { Reservation } from '../store/intake/idempotency.ts';
import type { ApiContext } from './context.ts';
import { type Answer, idempotently, type KeyedTry } from './idempotency.ts';
import { KeptBody } from './kept-body.ts';
import { hashUpload, senderGone, uploadBody, uploadFormat } from './upload-body.ts';

export interface UploadTry extends KeyedTry {
  /** Streams the body into a batch. */
  upload(into: Pick<UploadRequest, 'batch' | 'uploadLine' | 'again' | 'onBegun'>): Promise<UploadResult>;
  /**
   * Judges the whole body, and keeps it: `upload` takes it from there.
   * @throws ProblemError `validation_failed` with the lines that cannot be taken
   */
  judgeWhole(into: { batch: JudgedBatch; firstLine: number }): Promise<void>;
  /** Reads the body to its end for its hash alone: it was taken by an earlier try. */
  pass(): Promise<void>;
}

/**
 * A write whose body is an upload, once for each Idempotency-Key. A try that breaks off leaves its durable lines, and
 * the next one with the key goes on behind them.
 */
export async function keyedUpload(
  context: ApiContext,
  at: { request: FastifyRequest; reply: FastifyReply },
  settings: {
    reserve?: () => Reservation;
    /** The body may have to be judged before it is taken. */
    atomic?: boolean;
    work: (tried: UploadTry) => Promise<Answer>;
  },
): Promise<FastifyReply> {
  const kept = settings.atomic ? await KeptBody.open(context.keptBodies) : undefined;
  try {
    return await upload(context, at, { ...settings, kept });
  } finally {
    await kept?.close();
  }
}

async function upload(
  context: ApiContext,
  at: { request: FastifyRequest; reply: FastifyReply },
  {
    reserve,
    work,
    kept,
  }: {
    reserve?: () => Reservation;
    work: (tried: UploadTry) => Promise<Answer>;
    kept: KeptBody | undefined;
  },
): Promise<FastifyReply> {
  const { request } = at;
  const format = uploadFormat(request);
  const { accountId, isTest: test } = request.caller;
  const { bodyIdleMs: idleMs } = context.clientLimits;
  const body = uploadBody(request, {
    idleMs,
    hashed: request.headers['idempotency-key'] !== undefined,
    ...(kept && { kept }),
    onBytes: context.metrics.uploadBytesRead,
  });
  return await idempotently(context, at, {
    keepsPart: true,
    ...(reserve && { reserve }),
    hashBody: () => hashUpload(request, { idleMs }),
    async work(keyed) {
      const { keyHash } = keyed;
      let isJudged = false;
      const answer = await work({
        ...keyed,
        upload: (into) =>
          context.intake.uploads.upload({
            ...into,
            ...{ accountId, test },
            format,
            body: isJudged ? body.again() : body.bytes,
            ...(keyHash !== undefined && { key: keyHash }),
            onAlive: () => keyed.renew(),
            signal: context.lifecycle.signal,
            gone: senderGone(request.raw),
          }),
        async judgeWhole(into) {
          const tally = await whileAlive(keyed.renew, () =>
            context.intake.uploads.judge({
              ...into,
              ...{ format, body: body.bytes },
              signal: AbortSignal.any([context.lifecycle.signal, senderGone(request.raw)]),
            }),
          );
          if (tally.rejected > 0) throw notWhole(tally);
          isJudged = true;
        },
        async pass() {
          for await (const _ of body.bytes);
        },
      });
      return { ...answer, ...(keyHash !== undefined && { bodyHash: body.hash() }) };
    },
  });
}

/** A key stays locked for longer than this. */
const renewEveryMs = 5_000;

/** Keeps the key of a try while it judges, which may take minutes. A renewal that fails is made up for by the next one. */
async function whileAlive<T>(renew: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => void renew().catch(() => {}), renewEveryMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** What cannot be taken whole is not taken at all. */
export function notWhole({ accepted, rejected, errors }: Tally): ProblemError {
  const [first] = errors;
  const detail = `Nothing was taken: ${rejected} of ${accepted + rejected} lines cannot be; line ${first!.line}: ${first!.detail}`;
  return new ProblemError('validation_failed', detail, { errors, extra: { accepted: 0, rejected } });
}
