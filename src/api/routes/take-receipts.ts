import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { ReceiptReading, ReceiptRequest } from '../../connectors/connector.ts';
import { type ErrorCode, ProblemError } from '../../message/error-codes.ts';
import type { Route } from '../../message/route.ts';
import { bodyBytesMax, contentEncoding, readBody } from '../body.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { publicOrigin } from '../public-origin.ts';

const refusalCodes: Record<400 | 401 | 403, ErrorCode> = {
  400: 'invalid_request',
  401: 'receipt_unsigned',
  403: 'receipt_distrusted',
};

/** What providers call. The path is the secret, and what a connector demands besides; a 2xx means that it is on disk. */
export function takeReceipts(app: ApiInstance, context: ApiContext): void {
  app.route({
    method: ['GET', 'POST'],
    // A HEAD would be a receipt that nobody sent.
    exposeHeadRoute: false,
    url: '/v1/receipts/:token',
    config: {
      scope: 'none',
      errors: [
        'receipt_unsigned',
        'receipt_distrusted',
        'not_found',
        'payload_too_large',
        'unsupported_media_type',
        'unavailable',
      ],
    },
    schema: {
      summary: 'What a provider reports later of messages',
      description:
        'Delivery reports and bounces, in the form of the provider. The URL of a route is shown to administrators by ' +
        '`GET /v1/routes/{name}`, and takes no key. Answered when the receipts are durable; a 503 asks for them again.',
      tags: ['receipts'],
      params: Type.Object({ token: Type.String() }),
      querystring: Type.Object({}, { additionalProperties: true }),
    },
    async handler(request, reply) {
      const { token } = request.params as { token: string };
      const route = await findRoute(context, token);
      const connector = route && context.connectors.get(route.connector);
      if (!route || !connector?.readReceipts) throw new ProblemError('not_found', 'there is nothing here');
      const received = await requestOf(context, request);
      const reading = connector.readReceipts(route.options, received, { nowMs: Date.now() });
      return await answer(context, { route, reading, reply });
    },
  });
}

/** One that another server made a moment ago is looked for before it is refused. */
async function findRoute({ control }: ApiContext, token: string): Promise<Route | undefined> {
  const known = control.routeByReceiptsToken(token);
  if (known || !(await control.lookAgain())) return known;
  return control.routeByReceiptsToken(token);
}

async function requestOf(context: ApiContext, request: FastifyRequest): Promise<ReceiptRequest> {
  if (contentEncoding(request) !== 'identity') {
    throw new ProblemError('unsupported_media_type', 'receipts must come without Content-Encoding');
  }
  const stream = request.body as Readable | null | undefined;
  const body = stream ? await readBody(stream, { bytesMax: bodyBytesMax }) : Buffer.alloc(0);
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  const { method } = request;
  return { method, url: `${publicOrigin(context, request)}${request.raw.url ?? ''}`, headers, body };
}

async function answer(
  { receipts, metrics }: ApiContext,
  at: { route: Route; reading: ReceiptReading; reply: FastifyReply },
): Promise<FastifyReply> {
  const { route, reading, reply } = at;
  if (reading.kind === 'refused') {
    metrics.receiptsTold({ result: 'refused', count: 1 });
    throw new ProblemError(refusalCodes[reading.status], reading.detail);
  }
  const { news, ignored, reply: wanted } = reading;
  await receipts.store(route.id, news);
  metrics.receiptsTold({ result: 'stored', count: news.length });
  metrics.receiptsTold({ result: 'ignored', count: ignored });
  if (wanted === undefined) return reply.code(200).send({ stored: news.length, ignored });
  if (wanted.contentType !== undefined) reply.header('content-type', wanted.contentType);
  return reply.code(wanted.status).send(wanted.body ?? '');
}
