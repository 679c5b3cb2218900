import { verifyingKey } from '../../../lib/standard-webhooks.ts';
import { isObject } from '../../transport/reply-answer.ts';
import { definePreset } from '../preset.ts';
import { keyField, matching, memberOf, needed, newsOf, timeOf } from '../preset-fields.ts';
import { problemOfSigned } from '../signed-receipt.ts';

/**
 * Bird SMS, as the package @messagebird/sdk 0.63 has it from Bird's OpenAPI ("Send an SMS message", "Webhook events").
 * Bird knows the idempotency key for three hours, hands metadata back with every event, and signs by Standard Webhooks.
 * Its batches are taken or refused as a whole, which would let one bad number refuse the others: messages go singly.
 */
export const bird = definePreset({
  channel: 'sms',
  options: {
    apiKey: {
      required: true,
      accepts: matching(/^bk_[a-z]{2}[0-9]+_\S+$/),
      problem: 'apiKey looks like "bk_eu1_…": it names the region.',
      description: 'of the workspace, `bk_{region}_…`',
    },
    category: {
      accepts: matching(/^(transactional|marketing|authentication|service)$/),
      problem: 'category is transactional, marketing, authentication or service.',
      description:
        'why messages are sent: `transactional` (by default), `marketing`, `authentication` or `service`',
    },
    receiptSecret: {
      accepts: (value) => verifyingKey(value) !== undefined,
      problem: 'receiptSecret is the signing secret of the webhook endpoint, "whsec_…".',
      description: 'the signing secret of the webhook endpoint: receipts must be signed with it',
    },
  },
  baseUrl: ({ apiKey }) => `https://${apiKey.split('_')[1]}.platform.bird.com`,
  path: () => '/v1/sms/messages',
  authenticate: ({ apiKey }) => ({ authorization: `Bearer ${apiKey}` }),
  encoding: 'json',
  message: ({ key, fields }, { category }) => ({
    to: fields.to,
    from: needed(fields.from, 'from'),
    text: needed(fields.body, 'body'),
    category: category ?? 'transactional',
    metadata: { [keyField]: key },
  }),
  messageHeaders: ({ key }) => ({ 'idempotency-key': key }),
  answer: {
    providerRef: ({ id }) => id,
    refusal(body) {
      const error = isObject(body.error) ? body.error : body;
      return { code: error.code, detail: error.message };
    },
    // E01004: the same key is being processed by another request; its answer comes with the next try.
    isTransient: ({ code }) => code === 'e01004',
  },
  receipts: {
    format: 'json',
    distrust: ({ receiptSecret }, request, { nowMs }) =>
      receiptSecret === undefined ? undefined : problemOfSigned(verifyingKey(receiptSecret)!, request, nowMs),
    news(event) {
      const state = stateOf[String(event.type)];
      if (state === undefined) return undefined;
      const data = memberOf(event, 'data');
      const error = memberOf(data, 'error');
      return newsOf({
        state,
        key: memberOf(data, 'metadata')[keyField],
        providerRef: data.sms_id,
        code: error.code,
        detail: error.description,
        atMs: timeOf(event.timestamp),
      });
    },
  },
});

/** Accepted and sent are on the way to one of these; all of them are final, by Bird's description. */
const stateOf: Record<string, 'delivered' | 'failed'> = {
  'sms.delivered': 'delivered',
  'sms.undelivered': 'failed',
  'sms.failed': 'failed',
  'sms.rejected': 'failed',
  'sms.expired': 'failed',
};
