import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UploadRequest, UploadResult } from '../intake/batch-uploads.ts';
import type { Reservation } from '../store/intake/idempotency.ts';
import type { ApiContext } from './context.ts';
import { type Answer, idempotently, type KeyedTry } from './idempotency.ts';
import { hashUpload, senderGone, uploadBody, uploadFormat } from './upload-body.ts';

export interface UploadTry extends KeyedTry {
  /** Streams the body into a batch. */
  upload(into: Pick<UploadRequest, 'batch' | 'uploadLine' | 'again' | 'onBegun'>): Promise<UploadResult>;
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
  const { accountId, isTest: test } = request.caller;
  const { bodyIdleMs: idleMs } = context.clientLimits;
  const body = uploadBody(request, {
    idleMs,
    hashed: request.headers['idempotency-key'] !== undefined,
    onBytes: context.metrics.uploadBytesRead,
  });
  return await idempotently(context, at, {
    keepsPart: true,
    ...(reserve && { reserve }),
    hashBody: () => hashUpload(request, { idleMs }),
    async work(keyed) {
      const { keyHash } = keyed;
      const answer = await work({
        ...keyed,
        upload: (into) =>
          context.intake.uploads.upload({
            ...into,
            ...{ accountId, test },
            format,
            body: body.bytes,
            ...(keyHash !== undefined && { key: keyHash }),
            onAlive: () => keyed.renew(),
            signal: context.lifecycle.signal,
            gone: senderGone(request.raw),
          }),
        async pass() {
          for await (const _ of body.bytes);
        },
      });
      return { ...answer, ...(keyHash !== undefined && { bodyHash: body.hash() }) };
    },
  });
}
