import { randomBytes } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import {
  eventTypes,
  eventTypesDefault,
  type Webhook,
  type WebhookSecret,
  webhookNamePattern,
} from '../../message/webhook.ts';
import type { ApiContext } from '../context.ts';
import { invalid } from '../validation.ts';

/** Endpoints of an account: each event is told to each. */
export const webhooksMax = 50;
const batchMaxMax = 500;
const urlLengthMax = 2_048;
const filterMax = 100;
/** The specification asks for 24 to 64 bytes. */
const secretBytes = 32;

const EventName = Type.Enum([...eventTypes]);

const Filter = Type.Object(
  {
    routes: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), {
        minItems: 1,
        maxItems: filterMax,
        uniqueItems: true,
        description: 'only of messages and batches on one of these routes',
      }),
    ),
    tags: Type.Optional(
      Type.Array(Type.String({ maxLength: 100 }), {
        minItems: 1,
        maxItems: filterMax,
        uniqueItems: true,
        description: 'only of messages with one of these tags; none of batches',
      }),
    ),
  },
  { additionalProperties: false },
);

export const webhookFields = {
  name: Type.String({
    pattern: webhookNamePattern,
    'x-detail': 'must be up to 64 of a-z, 0-9, ".", "_", "-"; the first and the last a letter or digit',
    description:
      'unique in the account: up to 64 of a-z, 0-9, ".", "_", "-". Messages on a webhook route may be sent `to` it',
  }),
  url: Type.String({
    maxLength: urlLengthMax,
    description:
      'where events are posted: https://, or http://, with which anybody on the way can read them (nobody can change them unnoticed: they are signed). Without credentials and fragment',
  }),
  events: Type.Optional(
    Type.Array(EventName, {
      minItems: 1,
      uniqueItems: true,
      default: [...eventTypesDefault],
      description: 'what is told; by default how messages and batches ended',
    }),
  ),
  filter: Type.Optional(Filter),
  batchMax: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: batchMaxMax,
      default: 1,
      description:
        'events that one request may carry: more than 1 makes requests of `{type: "events", timestamp, data: [event, …]}`',
    }),
  ),
};

export const WebhookAnswer = Type.Object({
  id: Type.String(),
  name: Type.String(),
  url: Type.String(),
  events: Type.Array(EventName),
  filter: Filter,
  batchMax: Type.Integer(),
  state: Type.Union([Type.Literal('enabled'), Type.Literal('disabled')]),
  disabledReason: Type.Optional(Type.String()),
  disabledAt: Type.Optional(Type.String({ format: 'date-time' })),
  failingSince: Type.Optional(
    Type.String({ format: 'date-time', description: 'no request has succeeded since' }),
  ),
  secrets: Type.Array(
    Type.Object({
      hint: Type.String({ description: 'the last characters' }),
      createdAt: Type.String({ format: 'date-time' }),
      expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'signed with until then' })),
    }),
    { description: 'what requests are signed with, the newest first' },
  ),
  createdAt: Type.String({ format: 'date-time' }),
});

export const NewWebhookAnswer = Type.Object({
  ...WebhookAnswer.properties,
  secret: Type.Optional(
    Type.String({
      description:
        '`whsec_…` of the Standard Webhooks specification. Shown this once: an answer that is replayed for its Idempotency-Key has none',
    }),
  ),
});

export function webhookAnswer(webhook: Webhook) {
  const { id, name, url, events, filter, batchMax, disabled, failingSince, secrets, createdAt } = webhook;
  return {
    id,
    name,
    url,
    events: [...events],
    filter: {
      ...(filter.routes && { routes: [...filter.routes] }),
      ...(filter.tags && { tags: [...filter.tags] }),
    },
    batchMax,
    state: disabled ? ('disabled' as const) : ('enabled' as const),
    ...(disabled && { disabledReason: disabled.reason, disabledAt: disabled.at.toISOString() }),
    ...(failingSince && { failingSince: failingSince.toISOString() }),
    secrets: secrets.map(({ secret, createdAt: madeAt, expiresAt }) => ({
      hint: `…${secret.slice(-4)}`,
      createdAt: madeAt,
      ...(expiresAt !== undefined && { expiresAt }),
    })),
    createdAt: createdAt.toISOString(),
  };
}

export function newSecret(nowMs: number): WebhookSecret {
  return {
    secret: `whsec_${randomBytes(secretBytes).toString('base64')}`,
    createdAt: new Date(nowMs).toISOString(),
  };
}

const Fields = Type.Object(webhookFields);

/** @throws ProblemError when the URL is none that may be called, or the filter names a route that is not there */
export function checkWebhook(
  { control }: Pick<ApiContext, 'control'>,
  { url, filter }: Partial<Pick<Static<typeof Fields>, 'url' | 'filter'>>,
): void {
  const errors = [];
  const detail = url === undefined ? undefined : urlProblem(url);
  if (detail !== undefined) errors.push({ pointer: '/url', code: 'invalid_value', detail });
  for (const [index, name] of (filter?.routes ?? []).entries()) {
    if (control.routeByName(name)) continue;
    errors.push({
      pointer: `/filter/routes/${index}`,
      code: 'unknown_route',
      detail: `there is no route "${name}"`,
    });
  }
  if (errors.length > 0) throw invalid('body', errors);
}

/** Whether its address may be called is judged at each connection, as it may change. */
export function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https:// or http://';
  if (url.username !== '' || url.password !== '') return 'must not hold credentials: requests are signed';
  if (url.hash !== '') return 'must not have a fragment (#…), which is never sent';
  return undefined;
}

export function noSuchWebhook(): ProblemError {
  return new ProblemError('not_found', 'there is no such webhook');
}

export function webhookNameTaken(name: string): ProblemError {
  return new ProblemError('conflict', `the account has a webhook "${name}" already`);
}
