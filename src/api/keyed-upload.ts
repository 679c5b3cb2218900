import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UploadRequest, UploadResult } from '../intake/batch-uploads.ts';
import type { Judgement } from '../intake/judge-upload.ts';
import type { JudgedBatch } from '../intake/judging.ts';
import type { Reservation } from '../store/intake/idempotency.ts';
import type { ApiContext } from './context.ts';
import { type Answer, idempotently, type KeyedTry } from './idempotency.ts';
import { KeptBody } from './kept-body.ts';
import { answerUnwanted, hashUpload, senderGone, uploadBody, uploadFormat } from './upload-body.ts';

export interface UploadTry extends KeyedTry {
  /** Streams the body into a batch. */
  upload(
    into: Pick<UploadRequest, 'batch' | 'uploadLine' | 'again' | 'onBegun'> & { atomic?: boolean },
  ): Promise<UploadResult>;
  /** Judges the whole body, and keeps it: `upload` takes it from there. */
  judge(batch: JudgedBatch): Promise<Judgement>;
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
  { reserve, work }: { reserve?: () => Reservation; work: (tried: UploadTry) => Promise<Answer> },
): Promise<FastifyReply> {
  const { request } = at;
  const format = uploadFormat(request);
  const { accountId, test } = request.caller;
  const { bodyIdleMs: idleMs } = context.clientLimits;
  let kept: KeptBody | undefined;
  const body = uploadBody(request, {
    idleMs,
    hashed: request.headers['idempotency-key'] !== undefined,
    kept: () => kept,
    onBytes: context.metrics.uploadBytesRead,
  });
  const { signal } = context.lifecycle;
  try {
    return await idempotently(context, at, {
      keepsPart: true,
      ...(reserve && { reserve }),
      hashBody: () => hashUpload(request, { idleMs }),
      async work(keyed) {
        const { keyHash } = keyed;
        const answer = await work({
          ...keyed,
          upload: ({ atomic = false, ...into }) =>
            context.intake.uploads.upload({
              ...into,
              ...{ accountId, test, atomic, format, signal },
              body: kept ? body.again() : body.bytes,
              ...(keyHash !== undefined && { key: keyHash }),
              onAlive: () => keyed.renew(),
              gone: senderGone(request.raw),
            }),
          async judge(batch) {
            kept = await KeptBody.open(context.keptBodies);
            // Nothing is durable yet that somebody might come back for.
            const wanted = AbortSignal.any([signal, answerUnwanted(at.reply.raw)]);
            return await whileAlive(context, keyed.renew, () =>
              context.intake.uploads.judge({ batch, format, body: body.bytes, signal: wanted }),
            );
          },
          async pass() {
            for await (const _ of body.bytes);
          },
        });
        return { ...answer, ...(keyHash !== undefined && { bodyHash: body.hash() }) };
      },
    });
  } finally {
    await kept?.close();
  }
}

/** Of the 30 s for which a key is locked. */
const renewEveryMs = 5_000;

/** Keeps the key of a try locked while it judges, which may take minutes. None of its renewals comes after that. */
async function whileAlive<T>(
  { log }: ApiContext,
  renew: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  let renewing: Promise<void> | undefined;
  const timer = setInterval(() => {
    renewing ??= renew()
      // The next one makes up for it; the lock outlasts several.
      .catch((err: unknown) => log.warn({ err }, 'a key could not be kept locked; it is tried again'))
      .finally(() => {
        renewing = undefined;
      });
  }, renewEveryMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    await renewing;
  }
}
