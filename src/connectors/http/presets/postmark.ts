import { isSame } from '../keyed-hash.ts';
import { definePreset } from '../preset.ts';
import { basic, keyField, memberOf, needed, neededText, newsOf, present, timeOf } from '../preset-fields.ts';

/**
 * Postmark. By "Send batch emails", "API error codes", "Bounce webhook" and "Delivery webhook" of
 * postmarkapp.com/developer. Metadata comes back in every event. Of up to 500 messages in a request each gets a result of its
 * own, in their order. Postmark signs nothing: it may call with a user and a password instead.
 */
export const postmark = definePreset({
  channel: 'email',
  options: {
    serverToken: { required: true, description: 'the API token of the server' },
    messageStream: { description: 'such as `broadcast`; without it the default transactional stream' },
    receiptUser: {
      description: 'the user of the webhook URL: receipts must come with it and `receiptPassword`',
    },
    receiptPassword: { description: 'the password of the webhook URL' },
  },
  baseUrl: () => 'https://api.postmarkapp.com',
  path: () => '/email/batch',
  authenticate: ({ serverToken }) => ({
    accept: 'application/json',
    'x-postmark-server-token': serverToken,
  }),
  encoding: 'json',
  batchMax: 500,
  message: ({ key, fields }, { messageStream }) =>
    present({
      From: needed(fields.from, 'from'),
      To: fields.to,
      Subject: needed(fields.subject, 'subject'),
      TextBody: neededText(fields).body,
      HtmlBody: fields.html,
      Headers: fields.headers && Object.entries(fields.headers).map(([Name, Value]) => ({ Name, Value })),
      Metadata: { [keyField]: key },
      MessageStream: messageStream,
    }),
  answer: {
    providerRef: ({ MessageID }) => MessageID,
    refusal: ({ ErrorCode, Message }) => ({ code: ErrorCode, detail: Message }),
    isTaken: ({ ErrorCode }) => ErrorCode === 0,
    // 100: maintenance; 405: no credit is left.
    isTransient: ({ code }) => code === '100' || code === '405',
  },
  receipts: {
    format: 'json',
    distrust({ receiptUser, receiptPassword }, { headers }) {
      if (receiptUser === undefined && receiptPassword === undefined) return undefined;
      const { authorization } = basic(receiptUser ?? '', receiptPassword ?? '');
      return isSame(Buffer.from(headers.authorization ?? ''), Buffer.from(authorization!))
        ? undefined
        : 'The callback has not the receiptUser and receiptPassword of the route.';
    },
    news(event) {
      const failed = event.RecordType === 'Bounce' && !passing.has(String(event.Type));
      if (!failed && event.RecordType !== 'Delivery') return undefined;
      return newsOf({
        state: failed ? 'failed' : 'delivered',
        key: memberOf(event, 'Metadata')[keyField],
        providerRef: event.MessageID,
        code: event.Type,
        detail: event.Details || event.Description,
        atMs: timeOf(failed ? event.BouncedAt : event.DeliveredAt),
      });
    },
  },
});

/** Types of bounces that are no word on the delivery: a delay, an answer to the message, or somebody's wish. */
const passing = new Set([
  'Transient',
  'Unsubscribe',
  'Subscribe',
  'AutoResponder',
  'AddressChange',
  'OpenRelayTest',
  'ChallengeVerification',
  'SpamComplaint',
]);
