import { Type } from 'typebox';
import type { UploadResult } from '../../intake/batch-uploads.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { isId } from '../../message/id.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { keyedUpload } from '../keyed-upload.ts';
import { uploadBodies, uploadLine } from '../upload-body.ts';
import { BatchId } from './batch-fields.ts';
import { refuseUnavailable } from './batch-input.ts';
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
          'conflict',
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
            atomic: Type.Optional(Type.Unknown({ description: 'not available yet' })),
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
      refuseUnavailable(request.query, ['atomic']);
      const batch = request.params.id;
      if (!isId(batch)) throw new ProblemError('not_found', 'there is no such batch');
      const line = uploadLine(request);
      const { accountId } = request.caller;
      return await keyedUpload(
        context,
        { request, reply },
        {
          async work({ reservation, again, renew, upload }) {
            const { upload: begun, firstLine } = reservation;
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

function answer({ accepted, rejected, nextLine, errors }: UploadResult) {
  return { accepted, rejected, nextLine, errors };
}
