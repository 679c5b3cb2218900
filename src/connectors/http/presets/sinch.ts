import { isKeyedHash } from '../keyed-hash.ts';
import { definePreset } from '../preset.ts';
import { matching, needed, newsOf, present, receiptUrl, timeOf, withoutPlus } from '../preset-fields.ts';

/**
 * Sinch SMS API (XMS). By "Send" of Batches, "Delivery reports" and "Callbacks" of developers.sinch.com/docs/sms, and the
 * package @sinch/sms 1.4 for the signature. `client_reference` comes back in every report. A batch is one text to many
 * recipients with one answer: messages go singly, a batch of one each.
 */
export const sinch = definePreset({
  channel: 'sms',
  options: {
    servicePlanId: {
      required: true,
      accepts: matching(/^[\w-]{1,64}$/),
      problem: 'servicePlanId is letters, digits, "-" and "_".',
      description: 'the service plan',
    },
    apiToken: { required: true, description: 'of the service plan' },
    region: {
      accepts: matching(/^(us|eu|br|au|ca)$/),
      problem: 'region is us, eu, br, au or ca.',
      description: 'of the service plan: `us` (by default), `eu`, `br`, `au` or `ca`',
    },
    receiptUrl,
    receiptSecret: {
      description: 'the HMAC secret that Sinch set for callbacks: receipts must be signed with it',
    },
  },
  baseUrl: ({ region }) => `https://${region ?? 'us'}.sms.api.sinch.com`,
  path: ({ servicePlanId }) => `/xms/v1/${servicePlanId}/batches`,
  authenticate: ({ apiToken }) => ({ authorization: `Bearer ${apiToken}` }),
  encoding: 'json',
  message: ({ key, fields }, { receiptUrl: callback }) =>
    present({
      type: 'mt_text',
      to: [withoutPlus(fields.to)],
      from: withoutPlus(needed(fields.from, 'from')),
      body: needed(fields.body, 'body'),
      client_reference: key,
      delivery_report: 'per_recipient',
      callback_url: callback,
    }),
  answer: {
    providerRef: ({ id }) => id,
    refusal: ({ code, text }) => ({ code, detail: text }),
  },
  receipts: {
    format: 'json',
    distrust({ receiptSecret }, { headers, body }) {
      if (receiptSecret === undefined) return undefined;
      const nonce = headers['x-sinch-webhook-signature-nonce'] ?? '';
      const timestamp = headers['x-sinch-webhook-signature-timestamp'] ?? '';
      const parts = [body, `.${nonce}.${timestamp}`];
      const hash = { algorithm: 'sha256', encoding: 'base64', key: receiptSecret, parts } as const;
      return isKeyedHash(headers['x-sinch-webhook-signature'], hash)
        ? undefined
        : 'x-sinch-webhook-signature is not that of this body by the receiptSecret of the route.';
    },
    news(report) {
      const state =
        report.type === 'recipient_delivery_report_sms' ? stateOf[String(report.status)] : undefined;
      if (state === undefined) return undefined;
      return newsOf({
        state,
        key: report.client_reference,
        providerRef: report.batch_id,
        code: report.code,
        detail: `Sinch reports ${String(report.status)}, code ${String(report.code)}`,
        atMs: timeOf(report.operator_status_at) ?? timeOf(report.at),
      });
    },
  },
});

/** Queued and Dispatched are on the way; Unknown says that no report came. */
const stateOf: Record<string, 'delivered' | 'failed'> = {
  Delivered: 'delivered',
  Aborted: 'failed',
  Cancelled: 'failed',
  Deleted: 'failed',
  Expired: 'failed',
  Failed: 'failed',
  Rejected: 'failed',
};
