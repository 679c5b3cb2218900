import swagger from '@fastify/swagger';
import type { FastifyContextConfig, FastifySchema } from 'fastify';
import { tokenLengthMax } from '../lib/log-position.ts';
import { packageVersion } from '../lib/package-root.ts';
import { type ErrorCode, errorCodes } from '../message/error-codes.ts';
import type { ApiInstance } from './context.ts';
import { problemContentType } from './problem.ts';

/** Codes that any endpoint with a key may answer. */
const commonCodes: readonly ErrorCode[] = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'unavailable',
  'stopping',
  'internal',
];

/** Serves /openapi.json, made of the same schemas that validate and serialise. */
export function documentEndpoints(app: ApiInstance): void {
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Millrace',
        description: 'Bulk message delivery. Errors are problem documents (RFC 9457).',
        version: packageVersion(),
      },
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'an API key' } },
        schemas: { Problem: problemSchema as never },
      },
    },
    transform: ({ schema, url, route }) => ({
      schema: describe({
        schema: schema as FastifySchema,
        config: route.config ?? {},
        isWrite: !['GET', 'HEAD'].includes([route.method].flat()[0]!),
      }) as never,
      url,
    }),
  });
  void app.register((scope, _options, registered) => {
    scope.get(
      '/openapi.json',
      { config: { scope: 'none' }, schema: { summary: 'This description', tags: ['server'] } },
      async (_request, reply) =>
        reply.header('content-type', 'application/json').send(Buffer.from(JSON.stringify(app.swagger()))),
    );
    registered();
  });
}

/** Adds what the configuration of an endpoint says: its scope, its errors, the bodies that it reads itself. */
function describe(endpoint: {
  schema: FastifySchema | undefined;
  config: FastifyContextConfig;
  isWrite: boolean;
}): Record<string, unknown> {
  const { schema = {}, config, isWrite } = endpoint;
  const { scope, errors = [], bodies } = config;
  const open = scope === 'none' || scope === undefined;
  const codes = new Set<ErrorCode>([...(open ? [] : commonCodes), ...errors]);
  if (isWrite) for (const code of writeCodes) codes.add(code);
  if (schema.body || schema.querystring) codes.add('validation_failed');
  if (schema.body) for (const code of bodyCodes) codes.add(code);
  return {
    ...schema,
    description: [schema.description, open || scope === 'any' ? '' : `Needs the scope \`${scope}\`.`]
      .filter(Boolean)
      .join('\n\n'),
    security: open ? [] : [{ key: [] }],
    ...(!open && { headers: { type: 'object', properties: headersOf(isWrite) } }),
    ...(bodies && { body: { content: bodiesContent(bodies) } }),
    response: {
      ...goodResponses(
        schema.response as Record<string, object>,
        open ? undefined : isWrite ? writeAnswerHeaders : readAnswerHeaders,
      ),
      ...problemResponses(codes),
    },
  };
}

function headersOf(isWrite: boolean): Record<string, object> {
  return { ...accountHeaders, ...(isWrite ? writeHeaders : readHeaders) };
}

const writeCodes: readonly ErrorCode[] = ['idempotency_in_progress', 'idempotency_key_reused'];
const accountHeaders = {
  'Millrace-Account': {
    type: 'string',
    description:
      'The id of the account whose things are meant, for an administrator who looks after another than its own. ' +
      'Needs the scope `admin`.',
  },
};
const writeHeaders = {
  'Idempotency-Key': {
    type: 'string',
    maxLength: 255,
    description: 'The same key and request give the first answer again, for 24 hours.',
  },
};
const tokenSchema = { type: 'string', maxLength: tokenLengthMax, examples: ['home:1:0/16B374D8'] };
const readHeaders = {
  'Millrace-Consistency': {
    ...tokenSchema,
    description:
      'As the answer to a write had it: the answer has seen that write, whichever replica gives it.',
  },
};
const writeAnswerHeaders = {
  'Millrace-Consistency': {
    ...tokenSchema,
    description:
      'For reads that are to see this write: cell, timeline and position in its log, or `unknown`.',
  },
};
const readAnswerHeaders = {
  'Millrace-Timeline': {
    type: 'integer',
    description:
      "The primary's timeline, where the token was of an earlier one: the write that it names may have been lost in a failover. " +
      'Absent otherwise.',
  },
};
const bodyCodes: readonly ErrorCode[] = [
  'invalid_json',
  'payload_too_large',
  'request_timeout',
  'unsupported_media_type',
];

const meaningByStatus: Record<string, string> = { 200: 'Done', 201: 'Made', 202: 'Durable, and on its way' };

function goodResponses(
  schemas: Record<string, object> = {},
  headers: object | undefined = undefined,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schemas).map(([status, schema]) => [
      status,
      {
        ...schema,
        'x-response-description': meaningByStatus[status] ?? 'Done',
        ...(headers && { headers }),
      },
    ]),
  );
}

function problemResponses(codes: ReadonlySet<ErrorCode>): Record<number, unknown> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorCodes[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\`: ${errorCodes[code].title}`).join('\n\n'),
        content: { [problemContentType]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

function bodiesContent(bodies: NonNullable<FastifyContextConfig['bodies']>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(bodies).map(([mediaType, body]) => {
      const { description, schema } = typeof body === 'string' ? { description: body, schema: {} } : body;
      return [mediaType, { schema: { ...schema, description } }];
    }),
  );
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(errorCodes) },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['code', 'detail'],
        properties: {
          pointer: { type: 'string', description: 'JSON pointer into the body' },
          line: { type: 'integer' },
          index: { type: 'integer' },
          code: { type: 'string' },
          detail: { type: 'string' },
        },
      },
    },
  },
};
