import { parseTime } from '../../lib/parse-time.ts';
import { signingKey } from '../../lib/standard-webhooks.ts';
import type { OptionProblem } from '../connector.ts';
import {
  checkHeaders,
  checkOptions,
  headersSchema,
  type OptionCheck,
  problem,
  type TransportOptions,
  transportChecks,
  transportSchemas,
} from '../transport/option-checks.ts';
import { pointerTo } from '../transport/option-pointer.ts';
import { isObject } from '../transport/reply-answer.ts';

export interface WebhookSecret {
  /** `whsec_…` for HMAC-SHA256, `whsk_…` for ed25519. */
  secret: string;
  /** RFC 3339: from then on nothing is signed with it. */
  expiresAt?: string;
}

/** The options of the `webhook` connector. */
export interface WebhookOptions extends TransportOptions {
  /** Requests are signed with each that is in force, so that endpoints have time to change. */
  secrets: readonly WebhookSecret[];
  /** Of every request; those of a message win. */
  headers?: Record<string, string>;
}

/** More would not fit into what servers take of headers, and nobody rotates so often. */
const secretsMax = 10;

/** Every problem of the options; empty when they are `WebhookOptions`. */
export function checkWebhookOptions(options: Record<string, unknown>): OptionProblem[] {
  return checkOptions(options, checks);
}

const checks: Record<keyof WebhookOptions, OptionCheck> = {
  secrets: checkSecrets,
  headers: (value) => [...checkHeaders(value), ...checkOwn(value)],
  ...transportChecks,
};

/** What `checks` allow, as the documentation of the API shows it. */
export const webhookOptionSchemas: Record<keyof WebhookOptions, object> = {
  secrets: {
    type: 'array',
    minItems: 1,
    maxItems: secretsMax,
    items: {
      type: 'object',
      required: ['secret'],
      additionalProperties: false,
      properties: {
        secret: { type: 'string', description: '`whsec_…` (HMAC-SHA256) or `whsk_…` (ed25519)' },
        expiresAt: { type: 'string', format: 'date-time' },
      },
    },
    description:
      'of the connector webhook, required: each request is signed by the Standard Webhooks specification with every one that ' +
      'has not expired; one of them never expires',
  },
  headers: {
    ...headersSchema,
    description:
      'of every request, wherever its message is addressed; they may hold credentials, which are encrypted in the database. Not with a preset',
  },
  ...transportSchemas,
};

function checkSecrets(value: unknown): OptionProblem[] {
  const wrong = (code: string, detail: string) => [problem('/secrets', code, detail)];
  if (value === undefined) return wrong('required', 'secrets is required: what requests are signed with.');
  if (!Array.isArray(value)) return wrong('invalid_type', 'secrets is an array: [{secret, expiresAt?}].');
  if (value.length < 1 || value.length > secretsMax) {
    return wrong('out_of_range', `There are 1 to ${secretsMax} secrets.`);
  }
  const problems = value.flatMap((item, n) => checkSecret(item, pointerTo('/secrets', String(n))));
  if (problems.length > 0) return problems;
  if (value.some(({ expiresAt }) => expiresAt === undefined)) return [];
  return wrong('invalid_value', 'One of the secrets has no expiresAt, so that requests are always signed.');
}

function checkSecret(item: unknown, pointer: string): OptionProblem[] {
  if (!isObject(item))
    return [problem(pointer, 'invalid_type', 'A secret is an object: {secret, expiresAt?}.')];
  const problems = Object.keys(item)
    .filter((name) => name !== 'secret' && name !== 'expiresAt')
    .map((name) => problem(pointerTo(pointer, name), 'unknown_field', `There is no option "${name}".`));
  const { secret, expiresAt } = item;
  if (typeof secret !== 'string' || signingKey(secret) === undefined) {
    const detail =
      'secret is "whsec_" and the base64 of 24 to 64 bytes, or "whsk_" and that of an ed25519 private key.';
    problems.push(problem(`${pointer}/secret`, 'invalid_value', detail));
  }
  if (expiresAt !== undefined && (typeof expiresAt !== 'string' || parseTime(expiresAt) === null)) {
    const detail = 'expiresAt is a time of RFC 3339, such as 2026-01-31T12:00:00Z.';
    problems.push(problem(`${pointer}/expiresAt`, 'invalid_value', detail));
  }
  return problems;
}

/** Those that sign are the connector's. */
function checkOwn(value: unknown): OptionProblem[] {
  if (!isObject(value)) return [];
  return Object.keys(value)
    .filter((name) => name.toLowerCase().startsWith('webhook-'))
    .map((name) =>
      problem(pointerTo('/headers', name), 'not_allowed', `The header "${name}" is set by the connector.`),
    );
}
