import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { isObject } from '../../transport/reply-answer.ts';
import { definePreset } from '../preset.ts';
import { keyField, needed, neededText, newsOf, present, secondsOf } from '../preset-fields.ts';

/**
 * Twilio SendGrid v3. By "Mail Send", "Event Webhook Reference" and "Getting Started with the Event Webhook Security
 * Features" of twilio.com/docs/sendgrid. Custom arguments come back in every event. Personalizations share one text and one
 * answer: messages go singly.
 */
export const sendgrid = definePreset({
  channel: 'email',
  options: {
    apiKey: { required: true, description: 'with the right to send mail, `SG.…`' },
    receiptPublicKey: {
      accepts: (value) => publicKeyOf(value) !== undefined,
      problem: 'receiptPublicKey is the verification key of the event webhook, in base64.',
      description: 'the verification key of the event webhook: receipts must be signed by it',
    },
  },
  baseUrl: () => 'https://api.sendgrid.com',
  path: () => '/v3/mail/send',
  authenticate: ({ apiKey }) => ({ authorization: `Bearer ${apiKey}` }),
  encoding: 'json',
  message: ({ key, fields }) => ({
    personalizations: [
      present({ to: [mailbox(fields.to)], headers: fields.headers, custom_args: { [keyField]: key } }),
    ],
    from: mailbox(needed(fields.from, 'from')),
    subject: needed(fields.subject, 'subject'),
    // Plain text comes first, as the reference asks.
    content: Object.entries(neededText(fields)).map(([name, value]) => ({
      type: name === 'html' ? 'text/html' : 'text/plain',
      value,
    })),
  }),
  answer: {
    providerRef: (_, headers) => headers['x-message-id'],
    refusal({ errors }) {
      const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
      if (!isObject(first)) return {};
      return { code: first.error_id, detail: first.message };
    },
  },
  receipts: {
    format: 'json',
    distrust({ receiptPublicKey }, { headers, body }) {
      if (receiptPublicKey === undefined) return undefined;
      const signature = headers['x-twilio-email-event-webhook-signature'] ?? '';
      const timestamp = headers['x-twilio-email-event-webhook-timestamp'] ?? '';
      return isSignedEvent({ receiptPublicKey, signature, timestamp, body })
        ? undefined
        : 'X-Twilio-Email-Event-Webhook-Signature is not that of this body by the receiptPublicKey of the route.';
    },
    news(event) {
      const state = stateOf[String(event.event)];
      if (state === undefined) return undefined;
      return newsOf({
        state,
        key: event[keyField],
        providerRef: messageIdOf(event.sg_message_id),
        code: event.event === 'dropped' ? 'dropped' : (event.status ?? event.type),
        detail: event.reason,
        atMs: secondsOf(event.timestamp),
      });
    },
  },
});

/** Processed and deferred are on the way; opens, clicks and complaints come after the delivery. */
const stateOf: Record<string, 'delivered' | 'failed'> = {
  delivered: 'delivered',
  bounce: 'failed',
  dropped: 'failed',
};

/** `Name <address>` or the address alone. */
function mailbox(text: string): Record<string, unknown> {
  const trimmed = text.trim();
  const begin = trimmed.indexOf('<');
  const address = trimmed.slice(begin + 1, -1);
  if (begin === -1 || !trimmed.endsWith('>') || !/^[^<>]+$/.test(address)) return { email: text };
  const name = unquoted(trimmed.slice(0, begin).trim());
  return name.includes('"') ? { email: text } : present({ email: address, name: name || undefined });
}

/** Of a quote at either end; by an expression that would be cubic in its spaces. */
function unquoted(name: string): string {
  const end = name.length > 1 && name.endsWith('"') ? -1 : undefined;
  return name.slice(name.startsWith('"') ? 1 : 0, end);
}

/** What the answer to the send had as X-Message-Id is the beginning of the id in events. */
function messageIdOf(id: unknown): unknown {
  return typeof id === 'string' ? id.replace(/\.(filter|recvd).*$/s, '') : undefined;
}

/** ECDSA on P-256 over the timestamp and the body as it came. */
function isSignedEvent(event: {
  receiptPublicKey: string;
  signature: string;
  timestamp: string;
  body: Uint8Array;
}): boolean {
  const signed = Buffer.concat([Buffer.from(event.timestamp), event.body]);
  return verify(
    'sha256',
    signed,
    publicKeyOf(event.receiptPublicKey)!,
    Buffer.from(event.signature, 'base64'),
  );
}

function publicKeyOf(text: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ec' ? key : undefined;
  } catch {
    return undefined;
  }
}
