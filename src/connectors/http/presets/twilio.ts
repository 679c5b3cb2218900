import { isKeyedHash } from '../keyed-hash.ts';
import { definePreset } from '../preset.ts';
import { basic, matching, needed, newsOf, pairs, receiptUrl } from '../preset-fields.ts';

/**
 * Twilio Programmable Messaging. By "Messages resource", "Track the Message Status of Outbound Messages" and "Secure
 * webhooks" of twilio.com/docs (signatures by the auth token, not by webhook rules). Twilio keeps nothing of ours with a message and knows no idempotency key: the key comes
 * back in the query of the status callback, where the route names one.
 */
export const twilio = definePreset({
  channel: 'sms',
  options: {
    accountSid: {
      required: true,
      accepts: matching(/^AC[0-9a-fA-F]{32}$/),
      problem: 'accountSid is "AC" and 32 hexadecimal digits.',
      description: 'the account, `AC…`',
    },
    authToken: { required: true, description: 'the token of the account; it also verifies receipts' },
    messagingServiceSid: { description: 'sends messages that name no `from`' },
    receiptUrl,
  },
  baseUrl: () => 'https://api.twilio.com',
  path: ({ accountSid }) => `/2010-04-01/Accounts/${accountSid}/Messages.json`,
  authenticate: ({ accountSid, authToken }) => basic(accountSid, authToken),
  encoding: 'form',
  message: ({ key, fields }, { messagingServiceSid, receiptUrl: callback }) =>
    pairs({
      To: fields.to,
      Body: needed(fields.body, 'body'),
      ...(fields.from === undefined && messagingServiceSid !== undefined
        ? { MessagingServiceSid: messagingServiceSid }
        : { From: needed(fields.from, 'from') }),
      StatusCallback: callback && withKey(callback, key),
    }),
  answer: {
    providerRef: ({ sid }) => sid,
    refusal: ({ code, message }) => ({ code, detail: message }),
    // 21611: the queue of the sender is full.
    isTransient: ({ code }) => code === '21611',
  },
  receipts: {
    format: 'form',
    distrust({ authToken }, { url, headers, body }) {
      // The URL as it was called, then each name and value of the form, sorted by name.
      const form = [...new URLSearchParams(Buffer.from(body).toString('utf8'))].sort(([a], [b]) =>
        a < b ? -1 : a > b ? 1 : 0,
      );
      const parts = [url, ...form.flat()];
      const hash = { algorithm: 'sha1', encoding: 'base64', key: authToken, parts } as const;
      return isKeyedHash(headers['x-twilio-signature'], hash)
        ? undefined
        : 'X-Twilio-Signature is not that of this URL and form by the authToken of the route.';
    },
    news({ MessageSid, MessageStatus, ErrorCode, ErrorMessage }, { url }) {
      const state = stateOf[String(MessageStatus)];
      if (state === undefined) return undefined;
      const key = new URL(url).searchParams.get('key') ?? undefined;
      return newsOf({ state, key, providerRef: MessageSid, code: ErrorCode, detail: ErrorMessage });
    },
  },
});

/** Others (queued, sending, sent, …) are on the way to one of these. */
const stateOf: Record<string, 'delivered' | 'failed'> = {
  delivered: 'delivered',
  read: 'delivered',
  undelivered: 'failed',
  failed: 'failed',
};

function withKey(callback: string, key: string): string {
  const url = new URL(callback);
  url.searchParams.set('key', key);
  return url.href;
}
