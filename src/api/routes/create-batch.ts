import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Rejection } from '../../intake/rejection.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { createBatch as insertBatch } from '../../store/intake/create-batch.ts';
import { bodyBytesMax, parseJson, readBody, requirePlainJson } from '../body.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { type Answer, idempotently } from '../idempotency.ts';
import { keyedUpload, type UploadTry } from '../keyed-upload.ts';
import { mediaType, uploadBodies } from '../upload-body.ts';
import { compileBody, invalid } from '../validation.ts';
import { BatchAnswer, readBatch, showBatch } from './batch-fields.ts';
import { BatchInput, BatchQuery, newBatch, refuseUnavailable } from './batch-input.ts';
import { takeWhole } from './take-whole.ts';
import { RejectedLines } from './upload-fields.ts';

const checkInput = compileBody(BatchInput);
const checkQuery = compileBody(Type.Object(BatchQuery, { additionalProperties: false }));

/** Creates a batch; with `?route=` and an upload as its body it also fills and closes it. */
export function createBatch(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/batches',
    {
      config: {
        scope: 'send',
        bodies: {
          ...uploadBodies,
          'application/json': {
            description: 'the settings of a batch; with `?route=`, an array of messages',
            schema: BatchInput,
          },
        },
        errors: [
          'validation_failed',
          'conflict',
          'payload_too_large',
          'unsupported_media_type',
          'unknown_route',
          'unknown_template',
          'not_available',
          'idempotency_key_reused',
          'quota_exceeded',
          'credit_exhausted',
          'overloaded',
        ],
      },
      schema: {
        summary: 'Create a batch, or create, fill and close one in one call',
        tags: ['batches'],
        querystring: Type.Partial(
          Type.Object({
            ...BatchQuery,
            atomic: Type.Boolean({
              description:
                'with `route`: take all lines or none, and deliver when all is there (`start=close`); the answer to a body with lines that cannot be taken is ' +
                '422 with the first of them, and nothing is kept',
            }),
          }),
          { additionalProperties: true },
        ),
        response: {
          201: Type.Intersect([BatchAnswer, Type.Object({ errors: Type.Optional(RejectedLines) })]),
        },
      },
    },
    async (request, reply) => {
      const inOneCall =
        Object.hasOwn(request.query as object, 'route') || mediaType(request) !== 'application/json';
      return inOneCall
        ? await uploadOneShot(context, request, reply)
        : await createEmpty(context, request, reply);
    },
  );
}

async function createEmpty(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { accountId } = request.caller;
  refuseQuery(request.query);
  requirePlainJson(request);
  const body = await readBody(request.body as never, { bytesMax: bodyBytesMax });
  const json = parseJson(body);
  refuseUnavailable(json);
  const input = checkInput(json);
  return await idempotently(
    context,
    { request, reply },
    {
      body,
      reserve: () => ({ ids: [context.intake.newBatchId()] }),
      async work({ reservation }) {
        const id = reservation.ids[0]!;
        await insertBatch(context.database, await newBatch(context, { id, caller: request.caller, input }));
        return await batchAnswer(context, { accountId, id });
      },
    },
  );
}

async function uploadOneShot(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const query = request.query as Record<string, unknown>;
  refuseUnavailable(query);
  refuseUnavailable(query, ['tags', 'metadata', 'headers', 'sendWindow']);
  if (request.headers['upload-line'] !== undefined) {
    throw new ProblemError(
      'invalid_request',
      'Upload-Line resumes an upload at /v1/batches/{id}/messages; here send the whole body again with its key.',
    );
  }
  const { atomic = false, ...settings } = query;
  const input = checkQuery(atomic ? { start: 'close', ...settings } : settings);
  if (atomic && input.start !== 'close') throw startsTooSoon();
  const { accountId } = request.caller;
  return await keyedUpload(
    context,
    { request, reply },
    {
      reserve: () => ({ ids: [context.intake.newBatchId()] }),
      async work(tried) {
        const id = tried.reservation.ids[0]!;
        // Before there is a batch that nobody fills.
        const overload = context.intake.shedding.problemOf(input.priority ?? 'bulk');
        if (overload) throw overload;
        const batch = await newBatch(context, { id, caller: request.caller, input });
        if (atomic) {
          await takeWhole(context, { batch, tried });
          return await batchAnswer(context, { accountId, id }, []);
        }
        await insertBatch(context.database, batch);
        const errors = await fill(id, tried);
        await context.intake.closeBatch({ batch: id, accountId });
        return await batchAnswer(context, { accountId, id }, errors);
      },
    },
  );
}

async function fill(id: string, { again, upload, pass }: UploadTry): Promise<Rejection[]> {
  try {
    const { errors } = await upload({
      batch: id,
      ...(again && { again: { upload: undefined, firstLine: 1 } }),
    });
    return errors;
  } catch (error) {
    // The last try closed the batch, and only its answer was lost.
    if (again && error instanceof ProblemError && error.code === 'batch_closed') {
      await pass();
      return [];
    }
    if (error instanceof ProblemError) error.extra.batchId = id;
    throw error;
  }
}

async function batchAnswer(
  context: ApiContext,
  key: { accountId: number; id: string },
  errors?: Rejection[],
): Promise<Answer> {
  const batch = showBatch(await readBatch(context, key), context.control);
  return { status: 201, body: errors ? { ...batch, errors } : batch };
}

function startsTooSoon(): ProblemError {
  const detail = 'with atomic=true nothing leaves before all is there: leave it out, or say close';
  return invalid('query', [{ pointer: '/start', code: 'invalid_value', detail }]);
}

/** A batch's settings stand in its JSON: in the query they would be ignored, so they are refused. */
function refuseQuery(query: unknown): void {
  const names = Object.keys(query as object);
  if (names.length === 0) return;
  const detail = 'only an upload with ?route= takes a query';
  const errors = names.map((name) => ({ pointer: `/${name}`, code: 'unknown_field', detail }));
  throw invalid('query', errors);
}
