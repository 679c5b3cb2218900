import { isObject } from '../../transport/reply-answer.ts';
import { isKeyedHash } from '../keyed-hash.ts';
import { definePreset } from '../preset.ts';
import {
  basic,
  keyField,
  matching,
  memberOf,
  needed,
  neededText,
  newsOf,
  pairs,
  secondsOf,
} from '../preset-fields.ts';

/**
 * Mailgun v3. By "Messages: send an email", "Webhook Payloads" and "Securing Webhooks" of documentation.mailgun.com.
 * Variables (`v:`) come back in every event. Recipient variables give many messages one text and one id: messages go singly.
 */
export const mailgun = definePreset({
  channel: 'email',
  options: {
    domain: {
      required: true,
      accepts: matching(/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/),
      problem: 'domain is a name such as mg.example.com.',
      description: 'the sending domain',
    },
    apiKey: { required: true, description: 'of the account, or a sending key of the domain' },
    region: {
      accepts: matching(/^(us|eu)$/),
      problem: 'region is us or eu.',
      description: 'of the domain: `us` (by default) or `eu`',
    },
    receiptSecret: { description: 'the webhook signing key: receipts must be signed with it' },
  },
  baseUrl: ({ region }) => (region === 'eu' ? 'https://api.eu.mailgun.net' : 'https://api.mailgun.net'),
  path: ({ domain }) => `/v3/${domain}/messages`,
  authenticate: ({ apiKey }) => basic('api', apiKey),
  encoding: 'multipart',
  message: ({ key, fields }) => [
    ...pairs({
      from: needed(fields.from, 'from'),
      to: fields.to,
      subject: needed(fields.subject, 'subject'),
      text: neededText(fields).body,
      html: fields.html,
      [`v:${keyField}`]: key,
    }),
    ...Object.entries(fields.headers ?? {}).map(([name, value]): [string, string] => [`h:${name}`, value]),
  ],
  answer: {
    // In angle brackets here, in events without.
    providerRef: ({ id }) => (typeof id === 'string' ? id.replace(/^<(.*)>$/, '$1') : undefined),
    refusal: ({ message }) => ({ detail: message }),
  },
  receipts: {
    format: 'json',
    distrust({ receiptSecret }, { body }) {
      if (receiptSecret === undefined) return undefined;
      const { timestamp, token, signature } = memberOf(parsed(body), 'signature');
      const parts = [String(timestamp), String(token)];
      const hash = { algorithm: 'sha256', encoding: 'hex', key: receiptSecret, parts } as const;
      return typeof signature === 'string' && isKeyedHash(signature, hash)
        ? undefined
        : 'signature is not that of its timestamp and token by the receiptSecret of the route.';
    },
    items: (body) => (isObject(body) ? body['event-data'] : undefined),
    news(event) {
      const failed =
        event.event === 'rejected' || (event.event === 'failed' && event.severity === 'permanent');
      if (!failed && event.event !== 'delivered') return undefined;
      const status = memberOf(event, 'delivery-status');
      return newsOf({
        state: failed ? 'failed' : 'delivered',
        key: memberOf(event, 'user-variables')[keyField],
        providerRef: memberOf(memberOf(event, 'message'), 'headers')['message-id'],
        code: status.code ?? event.reason,
        detail: status.message || status.description || memberOf(event, 'reject').reason || event.reason,
        atMs: secondsOf(event.timestamp),
      });
    },
  },
});

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}
