import { createHash, createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect } from 'vitest';
import { form, json, key, type ProviderExample } from './provider-example.ts';

const fields = { to: '+15558675310', from: '+15557122661', body: 'Hi there 👋' };
const failed = (code: string, more: object = {}) => ({ state: 'failed', error: { code }, ...more });

const accountSid = `AC${'0123456789abcdef'.repeat(2)}`;
const twilio: ProviderExample = {
  preset: 'twilio',
  options: { accountSid, authToken: 'twilio-token', receiptUrl: 'https://mill.example/receipts/x?a=b' },
  fields,
  posted: {
    path: `/2010-04-01/Accounts/${accountSid}/Messages.json`,
    headers: {
      authorization: `Basic ${Buffer.from(`${accountSid}:twilio-token`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    read: form,
    body: {
      To: fields.to,
      From: fields.from,
      Body: fields.body,
      StatusCallback: `https://mill.example/receipts/x?a=b&key=${key}`,
    },
  },
  sent: {
    status: 201,
    body: { sid: 'SM1234', status: 'queued', error_code: null, error_message: null, num_segments: '1' },
    providerRef: 'SM1234',
  },
  refusals: [
    [
      'a number that is none',
      { status: 400, body: { code: 21211, message: "The 'To' number is not valid.", status: 400 } },
      { kind: 'rejected', error: { code: '21211' } },
    ],
    ['a full queue', { status: 400, body: { code: 21611, message: 'SMS queue is full' } }, { kind: 'retry' }],
    [
      'a wrong token',
      { status: 401, body: { code: 20003, message: 'Authenticate' } },
      {
        kind: 'retry',
        error: {
          code: 'credentials_refused',
          detail: expect.stringContaining('HTTP 401: 20003 Authenticate'),
        },
      },
    ],
    ['too many requests', { status: 429, body: { code: 20429 } }, { kind: 'retry' }],
    ['an error of its own', { status: 500, body: { code: 20500 } }, { kind: 'uncertain' }],
  ],
  sign({ url, body }) {
    const sorted = [...new URLSearchParams(body)].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
    const hmac = createHmac('sha1', 'twilio-token').update(url + sorted.join(''));
    return { body, headers: { 'x-twilio-signature': hmac.digest('base64') } };
  },
  receipts: [
    [
      'a message that was delivered',
      'SmsSid=SM1234&SmsStatus=delivered&MessageStatus=delivered&To=%2B15558675310&MessageSid=SM1234&AccountSid=AC0&From=%2B15557122661&ApiVersion=2010-04-01',
      { kind: 'read', news: [{ key, providerRef: 'SM1234', state: 'delivered' }], ignored: 0 },
      `?a=b&key=${key}`,
    ],
    [
      'a message that was not, of a route without receiptUrl',
      'MessageStatus=undelivered&MessageSid=SM1234&ErrorCode=30005&ErrorMessage=Unknown+destination+handset',
      { news: [{ ...failed('30005'), providerRef: 'SM1234' }] },
    ],
    ['a message on its way', 'MessageStatus=sent&MessageSid=SM1234', { news: [], ignored: 1 }],
  ],
};

const vonage: ProviderExample = {
  preset: 'vonage',
  options: {
    apiKey: 'abcd1234',
    apiSecret: 'vonage-secret',
    receiptSecret: 'vonage-signature-secret',
    receiptUrl: 'https://mill.example/receipts/x',
  },
  fields,
  posted: {
    path: '/v1/messages',
    headers: { authorization: `Basic ${Buffer.from('abcd1234:vonage-secret').toString('base64')}` },
    read: json,
    body: {
      message_type: 'text',
      channel: 'sms',
      to: '15558675310',
      from: '15557122661',
      text: fields.body,
      client_ref: key,
      webhook_url: 'https://mill.example/receipts/x',
      webhook_version: 'v1',
    },
  },
  sent: {
    status: 202,
    body: { message_uuid: 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab' },
    providerRef: 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab',
  },
  refusals: [
    [
      'invalid parameters',
      {
        status: 422,
        body: {
          type: 'https://developer.vonage.com/api-errors/messages#1150',
          title: 'Invalid params',
          detail: 'The value of one or more parameters is invalid.',
          instance: 'bf0ca0bf927b3b52e3cb03217e1a1ddf',
        },
      },
      { kind: 'rejected', error: { code: '1150', detail: expect.stringContaining('parameters is invalid') } },
    ],
    [
      'no credit',
      {
        status: 402,
        body: { type: 'https://developer.vonage.com/api-errors/#low-balance', title: 'Low balance' },
      },
      { kind: 'retry', error: { code: 'credit_exhausted' } },
    ],
    [
      'too many requests',
      { status: 429, headers: { 'retry-after': '3' } },
      { kind: 'retry', retryAfterMs: 3_000 },
    ],
  ],
  sign({ body }) {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const payload_hash = createHash('sha256').update(body).digest('hex');
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'Vonage', iat: 1_700_000_000, payload_hash })}`;
    const signature = createHmac('sha256', 'vonage-signature-secret').update(signed).digest('base64url');
    return { body, headers: { authorization: `Bearer ${signed}.${signature}` } };
  },
  receipts: [
    [
      'a message that was delivered',
      JSON.stringify({
        message_uuid: 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab',
        to: '447700900000',
        from: '447700900001',
        timestamp: '2025-02-03T12:14:25Z',
        status: 'delivered',
        client_ref: key,
        channel: 'sms',
      }),
      {
        news: [
          {
            key,
            providerRef: 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab',
            state: 'delivered',
            atMs: Date.UTC(2025, 1, 3, 12, 14, 25),
          },
        ],
      },
    ],
    [
      'a message that was rejected',
      JSON.stringify({
        message_uuid: 'u1',
        status: 'rejected',
        error: {
          type: 'https://developer.vonage.com/api-errors/messages#1260',
          title: '1260',
          detail: 'Destination unreachable',
        },
      }),
      { news: [failed('1260', { error: { code: '1260', detail: 'Destination unreachable' } })] },
    ],
    ['a message on its way', '{"message_uuid":"u1","status":"submitted"}', { news: [], ignored: 1 }],
  ],
};

const birdSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const birdEvent = (type: string, data: object = {}) =>
  JSON.stringify({
    type,
    timestamp: '2026-05-01T10:00:00Z',
    data: { sms_id: 'sms_01', workspace_id: 'ws_1', metadata: { millrace_key: key }, ...data },
  });
const bird: ProviderExample = {
  preset: 'bird',
  options: { apiKey: 'bk_eu1_token', receiptSecret: birdSecret },
  fields,
  posted: {
    path: '/v1/sms/messages',
    headers: { authorization: 'Bearer bk_eu1_token', 'idempotency-key': key },
    read: json,
    body: {
      to: fields.to,
      from: fields.from,
      text: fields.body,
      category: 'transactional',
      metadata: { millrace_key: key },
    },
  },
  sent: {
    status: 202,
    body: { id: 'sms_01', direction: 'outbound', status: 'accepted' },
    providerRef: 'sms_01',
  },
  refusals: [
    [
      'a recipient that cannot be routed',
      {
        status: 422,
        body: {
          error: {
            type: 'validation_error',
            code: 'E02001',
            name: 'SMSInvalidRecipient',
            message: 'No route.',
          },
        },
      },
      { kind: 'rejected', error: { code: 'e02001', detail: expect.stringContaining('No route.') } },
    ],
    [
      'the same key that is still being processed',
      {
        status: 409,
        body: { error: { code: 'E01004', name: 'request_in_progress', message: 'In progress.' } },
      },
      { kind: 'retry', error: { code: 'e01004' } },
    ],
    [
      'the same key with another body',
      { status: 409, body: { error: { code: 'E01005', name: 'idempotency_key_reuse', message: 'Reused.' } } },
      { kind: 'rejected', error: { code: 'e01005' } },
    ],
    ['no idempotency for now', { status: 503, body: { error: { code: 'E01033' } } }, { kind: 'retry' }],
  ],
  sign({ body }) {
    const now = new Date();
    const headers = {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': new Webhook(birdSecret).sign('evt_1', now, body),
    };
    return { body, headers };
  },
  receipts: [
    [
      'a message that was delivered',
      birdEvent('sms.delivered'),
      { news: [{ key, providerRef: 'sms_01', state: 'delivered', atMs: Date.UTC(2026, 4, 1, 10) }] },
    ],
    [
      'a message that was not',
      birdEvent('sms.failed', {
        error: { code: 'blocked_by_carrier', description: 'Filtered', occurred_at: '' },
      }),
      { news: [failed('blocked_by_carrier', { error: { code: 'blocked_by_carrier', detail: 'Filtered' } })] },
    ],
    ['an event of something else', birdEvent('email.opened'), { news: [], ignored: 1 }],
  ],
};

const sinchReport = (status: string, code: number) =>
  JSON.stringify({
    type: 'recipient_delivery_report_sms',
    batch_id: '01FC66621XXXXX119Z8PMV1QPQ',
    recipient: '15558675310',
    code,
    status,
    at: '2022-08-30T08:16:08.930Z',
    operator_status_at: '2022-08-30T08:16:08.150Z',
    client_reference: key,
  });
const sinch: ProviderExample = {
  preset: 'sinch',
  options: { servicePlanId: 'plan1', apiToken: 'sinch-token', receiptSecret: 'sinch-secret' },
  fields,
  posted: {
    path: '/xms/v1/plan1/batches',
    headers: { authorization: 'Bearer sinch-token', 'content-type': 'application/json' },
    read: json,
    body: {
      type: 'mt_text',
      to: ['15558675310'],
      from: '15557122661',
      body: fields.body,
      client_reference: key,
      delivery_report: 'per_recipient',
    },
  },
  sent: {
    status: 201,
    body: { id: '01FC66621XXXXX119Z8PMV1QPQ', to: ['15558675310'], canceled: false, type: 'mt_text' },
    providerRef: '01FC66621XXXXX119Z8PMV1QPQ',
  },
  refusals: [
    [
      'a number of another form',
      { status: 400, body: { code: 'syntax_invalid_parameter_format', text: 'Invalid msisdn' } },
      {
        kind: 'rejected',
        error: { code: 'syntax_invalid_parameter_format', detail: expect.stringContaining('msisdn') },
      },
    ],
    ['a wrong token', { status: 401 }, { kind: 'retry', error: { code: 'credentials_refused' } }],
    ['an error of its own', { status: 502 }, { kind: 'uncertain' }],
  ],
  sign({ body }) {
    const signature = createHmac('sha256', 'sinch-secret').update(`${body}.n1.1634579353`).digest('base64');
    const headers = {
      'x-sinch-webhook-signature': signature,
      'x-sinch-webhook-signature-nonce': 'n1',
      'x-sinch-webhook-signature-timestamp': '1634579353',
      'x-sinch-webhook-signature-algorithm': 'HmacSHA256',
    };
    return { body, headers };
  },
  receipts: [
    [
      'a message that was delivered',
      sinchReport('Delivered', 0),
      {
        news: [
          {
            key,
            providerRef: '01FC66621XXXXX119Z8PMV1QPQ',
            state: 'delivered',
            atMs: Date.UTC(2022, 7, 30, 8, 16, 8, 150),
          },
        ],
      },
    ],
    ['a message that was rejected', sinchReport('Rejected', 402), { news: [failed('402')] }],
    ['a message on its way', sinchReport('Dispatched', 401), { news: [], ignored: 1 }],
  ],
};

export const smsExamples = [twilio, vonage, bird, sinch];
