import { Type } from 'typebox';
import type { UploadResult } from '../../intake/batch-uploads.ts';
import { type JudgedBatch, judgedBatch } from '../../intake/judging.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { isId } from '../../message/id.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { keyedUpload } from '../keyed-upload.ts';
import { uploadBodies, uploadLine } from '../upload-body.ts';
import { BatchId, readBatch } from './batch-fields.ts';
import { RejectedLines } from './upload-fields.ts';

/** Streams messages into an open batch. */
export function appendMessages(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches/:id/messages',
    {
      config: {
        scope: 'send',
        bodies: uploadBodies,
        errors: [
          'not_found',
          'batch_closed',
          'upload_line_mismatch',
          'upload_superseded',
          'unsupported_media_type',
          'idempotency_key_reused',
          'quota_exceeded',
          'credit_exhausted',
          'overloaded',
        ],
      },
      schema: {
        summary: 'Upload messages to a batch, or resume an upload',
        description:
          'To resume, send `Upload-Line: N` with the rest from line N; N is the batch’s `nextLine`. ' +
          'A new upload ends an older one that still runs.',
        tags: ['batches'],
        params: BatchId,
        querystring: Type.Object(
          {
            close: Type.Optional(Type.Boolean({ description: 'close the batch after the upload' })),
            atomic: Type.Optional(
              Type.Boolean({
                description:
                  'take all lines or none; the batch must have been made with `"start": "close"`, so that nothing leaves before all is there',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            accepted: Type.Integer(),
            rejected: Type.Integer(),
            nextLine: Type.Integer({ description: 'the first line that is not durable yet' }),
            errors: RejectedLines,
          }),
        },
      },
    },
    async (request, reply) => {
      const batch = request.params.id;
      if (!isId(batch)) throw new ProblemError('not_found', 'there is no such batch');
      const line = uploadLine(request);
      const { accountId } = request.caller;
      const { atomic = false } = request.query;
      return await keyedUpload(
        context,
        { request, reply },
        {
          atomic,
          async work({ reservation, again, renew, upload, judgeWhole }) {
            const { upload: begun, firstLine } = reservation;
            // What was judged before, and begun, is the same.
            if (atomic && !(again && firstLine !== undefined)) {
              await judgeWhole(await heldBatch(context, { id: batch, accountId }, line));
            }
            const result = await upload({
              batch,
              ...(again && firstLine !== undefined
                ? { again: { upload: begun, firstLine } }
                : line !== undefined && { uploadLine: line }),
              onBegun: renew,
            });
            if (request.query.close) await context.intake.closeBatch({ batch, accountId });
            return { status: 200, body: answer(result) };
          },
        },
      );
    },
  );
}

/**
 * A batch that nothing leaves before it is closed, for its lines to be judged.
 * @throws ProblemError `conflict` for another
 */
async function heldBatch(
  context: ApiContext,
  key: { id: string; accountId: number },
  line: number | undefined,
): Promise<{ batch: JudgedBatch; firstLine: number }> {
  const { routeId, defaults, startOn, nextLine } = await readBatch(context, key);
  if (startOn === 'close') {
    return { batch: judgedBatch({ ...key, routeId, defaults }), firstLine: line ?? nextLine };
  }
  const detail =
    'Lines of this batch leave as they come: to take all or none, make it with "start": "close".';
  throw new ProblemError('conflict', detail);
}

function answer({ accepted, rejected, nextLine, errors }: UploadResult) {
  return { accepted, rejected, nextLine, errors };
}
