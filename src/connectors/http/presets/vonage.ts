import { createHash } from 'node:crypto';
import { isObject } from '../../transport/reply-answer.ts';
import { isKeyedHash, isSame } from '../keyed-hash.ts';
import { definePreset } from '../preset.ts';
import {
  basic,
  memberOf,
  needed,
  newsOf,
  present,
  receiptUrl,
  timeOf,
  withoutPlus,
} from '../preset-fields.ts';

/**
 * Vonage Messages API v1, channel SMS. By "Messages API reference", "Messages API Status Callbacks" and "Webhooks:
 * decoding signed webhooks" of developer.vonage.com. `client_ref` comes back in every status.
 */
export const vonage = definePreset({
  channel: 'sms',
  options: {
    apiKey: { required: true, description: 'of the account' },
    apiSecret: { required: true, description: 'of the account' },
    receiptUrl,
    receiptSecret: { description: 'the signature secret of the account: receipts must be signed with it' },
  },
  baseUrl: () => 'https://api.nexmo.com',
  path: () => '/v1/messages',
  authenticate: ({ apiKey, apiSecret }) => ({ ...basic(apiKey, apiSecret), accept: 'application/json' }),
  encoding: 'json',
  message: ({ key, fields }, { receiptUrl: callback }) =>
    present({
      message_type: 'text',
      channel: 'sms',
      to: withoutPlus(fields.to),
      from: withoutPlus(needed(fields.from, 'from')),
      text: needed(fields.body, 'body'),
      client_ref: key,
      webhook_url: callback,
      webhook_version: callback && 'v1',
    }),
  answer: {
    providerRef: ({ message_uuid }) => message_uuid,
    refusal: (problem) => ({ code: codeOf(problem), detail: problem.detail ?? problem.title }),
  },
  receipts: {
    format: 'json',
    distrust({ receiptSecret }, { headers, body }) {
      if (receiptSecret === undefined) return undefined;
      const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
      return token !== undefined && isSignedToken(token, receiptSecret, body)
        ? undefined
        : 'Authorization is no token of this body by the receiptSecret of the route.';
    },
    news(status) {
      const state = stateOf[String(status.status)];
      if (state === undefined) return undefined;
      const error = memberOf(status, 'error');
      return newsOf({
        state,
        key: status.client_ref,
        providerRef: status.message_uuid,
        code: codeOf(error),
        detail: error.detail ?? error.title,
        atMs: timeOf(status.timestamp),
      });
    },
  },
});

/** Submitted is on the way to one of these. */
const stateOf: Record<string, 'delivered' | 'failed'> = {
  delivered: 'delivered',
  read: 'delivered',
  rejected: 'failed',
  undeliverable: 'failed',
};

/** The type of a problem is a URL whose fragment is the code: `…/messages-olympus#1260`. */
function codeOf({ type }: Record<string, unknown>): string | undefined {
  return typeof type === 'string' ? /#(\w+)$/.exec(type)?.[1] : undefined;
}

/** A JSON Web Token by HS256, whose `payload_hash` is the SHA-256 of the body in hex. */
function isSignedToken(token: string, secret: string, body: Uint8Array): boolean {
  const [header = '', payload = '', signature] = token.split('.');
  const hash = {
    algorithm: 'sha256',
    encoding: 'base64url',
    key: secret,
    parts: [header, '.', payload],
  } as const;
  if (partOf(header).alg !== 'HS256' || !isKeyedHash(signature, hash)) return false;
  const { payload_hash: given } = partOf(payload);
  return (
    typeof given === 'string' && isSame(createHash('sha256').update(body).digest(), Buffer.from(given, 'hex'))
  );
}

function partOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
