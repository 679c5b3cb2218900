import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { expect } from 'vitest';
import { selfSigned } from '../../support/self-signed.ts';
import type { SeenRequest } from '../scripted-provider.ts';
import { json, key, type ProviderExample } from './provider-example.ts';

const fields = {
  to: 'ada@example.com',
  from: 'Mill <mill@example.org>',
  subject: 'Grüße',
  body: 'Hi there 👋',
  html: '<p>Hi</p>',
  headers: { 'X-Campaign': 'spring' },
};
const failed = (code: string, more: object = {}) => ({ state: 'failed', error: { code }, ...more });

const snsSigner = selfSigned('sns.test');
export const sendgridKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const sendgridEvents = [
  {
    email: 'ada@example.com',
    timestamp: 1_513_299_569,
    'smtp-id': '<14c5d75ce93.dfd.64b469@ismtpd-555>',
    event: 'processed',
    sg_event_id: 'a',
    sg_message_id: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
    millrace_key: key,
  },
  {
    email: 'ada@example.com',
    timestamp: 1_513_299_570,
    event: 'delivered',
    response: '250 OK',
    sg_message_id: '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0',
    millrace_key: key,
  },
  {
    email: 'bob@example.com',
    timestamp: 1_513_299_571,
    event: 'bounce',
    reason: '500 unknown recipient',
    status: '5.0.0',
    type: 'bounce',
    sg_message_id: 'BBB.recvd-abc123-1-12345678-9.0',
  },
  { email: 'c@example.com', timestamp: 1, event: 'dropped', reason: 'Bounced Address', sg_message_id: 'CCC' },
];
const sendgrid: ProviderExample = {
  preset: 'sendgrid',
  options: {
    apiKey: 'SG.key',
    receiptPublicKey: sendgridKeys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  },
  fields,
  posted: {
    path: '/v3/mail/send',
    headers: { authorization: 'Bearer SG.key', 'content-type': 'application/json' },
    read: json,
    body: {
      personalizations: [
        { to: [{ email: fields.to }], headers: fields.headers, custom_args: { millrace_key: key } },
      ],
      from: { email: 'mill@example.org', name: 'Mill' },
      subject: fields.subject,
      content: [
        { type: 'text/plain', value: fields.body },
        { type: 'text/html', value: fields.html },
      ],
    },
  },
  sent: {
    status: 202,
    headers: { 'X-Message-Id': '14c5d75ce93.dfd.64b469' },
    providerRef: '14c5d75ce93.dfd.64b469',
  },
  refusals: [
    [
      'an address that is none',
      {
        status: 400,
        body: {
          errors: [
            {
              message: 'Does not contain a valid address.',
              field: 'personalizations.0.to.0.email',
              help: null,
            },
          ],
        },
      },
      {
        kind: 'rejected',
        error: { code: 'provider_rejected', detail: expect.stringContaining('valid address') },
      },
    ],
    [
      'a wrong key',
      { status: 401, body: { errors: [{ message: 'authorization required', field: null, help: null }] } },
      { kind: 'retry', error: { code: 'credentials_refused' } },
    ],
    ['too many requests', { status: 429 }, { kind: 'retry' }],
    ['an error of its own', { status: 500 }, { kind: 'uncertain' }],
  ],
  sign({ body }) {
    const sign = createSign('sha256').update(`1600112502${body}`);
    const headers = {
      'x-twilio-email-event-webhook-signature': sign.sign(sendgridKeys.privateKey, 'base64'),
      'x-twilio-email-event-webhook-timestamp': '1600112502',
    };
    return { body, headers };
  },
  receipts: [
    [
      'several events',
      JSON.stringify(sendgridEvents),
      {
        kind: 'read',
        news: [
          { key, providerRef: '14c5d75ce93.dfd.64b469', state: 'delivered', atMs: 1_513_299_570_000 },
          {
            providerRef: 'BBB',
            state: 'failed',
            error: { code: '5_0_0', detail: '500 unknown recipient' },
            atMs: 1_513_299_571_000,
          },
          {
            providerRef: 'CCC',
            ...failed('dropped', { error: { code: 'dropped', detail: 'Bounced Address' } }),
          },
        ],
        ignored: 1,
      },
    ],
  ],
};

/** Names and values of a multipart body. */
function multipart({ headers, body }: SeenRequest): unknown {
  const boundary = /boundary=(\w+)$/.exec(headers['content-type'] ?? '')![1]!;
  const parts = body.split(`--${boundary}`).slice(1, -1);
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, value] = /name="([^"]+)"\r\n\r\n([\s\S]*)\r\n$/.exec(part)!;
      return [name!, value!];
    }),
  );
}

const mailgunEvent = (event: object) =>
  JSON.stringify({
    signature: {
      timestamp: '1529006854',
      token: 'a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0',
      signature: createHmac('sha256', 'mailgun-signing-key')
        .update('1529006854a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0')
        .digest('hex'),
    },
    'event-data': {
      id: 'CPgfbmQMTCKtHW6uIWtuVe',
      timestamp: 1_521_472_262.908181,
      message: { headers: { 'message-id': '20130503182626.18666.16540@mg.example.org' }, size: 111 },
      'user-variables': { millrace_key: key },
      ...event,
    },
  });
const mailgun: ProviderExample = {
  preset: 'mailgun',
  options: { domain: 'mg.example.org', apiKey: 'mailgun-key', receiptSecret: 'mailgun-signing-key' },
  fields,
  posted: {
    path: '/v3/mg.example.org/messages',
    headers: {
      authorization: `Basic ${Buffer.from('api:mailgun-key').toString('base64')}`,
      'content-type': expect.stringMatching(/^multipart\/form-data; boundary=\w{30,}$/),
    },
    read: multipart,
    body: {
      from: fields.from,
      to: fields.to,
      subject: fields.subject,
      text: fields.body,
      html: fields.html,
      'v:millrace_key': key,
      'h:X-Campaign': 'spring',
    },
  },
  sent: {
    status: 200,
    body: { id: '<20130503182626.18666.16540@mg.example.org>', message: 'Queued. Thank you.' },
    providerRef: '20130503182626.18666.16540@mg.example.org',
  },
  refusals: [
    [
      'an address that is none',
      { status: 400, body: { message: 'to parameter is not a valid address. please check documentation' } },
      { kind: 'rejected', error: { detail: expect.stringContaining('not a valid address') } },
    ],
    [
      'a wrong key',
      { status: 401, body: 'Forbidden' },
      { kind: 'retry', error: { code: 'credentials_refused' } },
    ],
  ],
  sign: ({ body }) => ({ body, headers: {} }),
  forge: ({ body, headers }) => ({ body: body.replace('"token":"a8', '"token":"b8'), headers }),
  receipts: [
    [
      'a message that was delivered',
      mailgunEvent({ event: 'delivered', 'delivery-status': { code: 250, message: 'OK' } }),
      {
        news: [
          {
            key,
            providerRef: '20130503182626.18666.16540@mg.example.org',
            state: 'delivered',
            atMs: 1_521_472_262_908,
          },
        ],
      },
    ],
    [
      'a failure for good',
      mailgunEvent({
        event: 'failed',
        severity: 'permanent',
        reason: 'suppress-bounce',
        'delivery-status': {
          code: 605,
          message: '',
          description: 'Not delivering to previously bounced address',
        },
      }),
      {
        news: [
          failed('605', { error: { code: '605', detail: 'Not delivering to previously bounced address' } }),
        ],
      },
    ],
    ['a failure for now', mailgunEvent({ event: 'failed', severity: 'temporary' }), { news: [], ignored: 1 }],
    ['an open', mailgunEvent({ event: 'opened' }), { news: [], ignored: 1 }],
  ],
};

const postmark: ProviderExample = {
  preset: 'postmark',
  options: {
    serverToken: 'server-token',
    messageStream: 'outbound',
    receiptUser: 'mill',
    receiptPassword: 'postmark-password',
  },
  fields,
  posted: {
    path: '/email/batch',
    headers: { 'x-postmark-server-token': 'server-token', accept: 'application/json' },
    read: json,
    body: [
      {
        From: fields.from,
        To: fields.to,
        Subject: fields.subject,
        TextBody: fields.body,
        HtmlBody: fields.html,
        Headers: [{ Name: 'X-Campaign', Value: 'spring' }],
        Metadata: { millrace_key: key },
        MessageStream: 'outbound',
      },
    ],
  },
  sent: {
    status: 200,
    body: [
      {
        ErrorCode: 0,
        Message: 'OK',
        MessageID: 'b7bc2f4a-e38e-4336-af7d-e6c392c2f817',
        SubmittedAt: '2010-11-26T12:01:05.1794748-05:00',
        To: fields.to,
      },
    ],
    providerRef: 'b7bc2f4a-e38e-4336-af7d-e6c392c2f817',
  },
  refusals: [
    [
      'an inactive recipient',
      {
        status: 200,
        body: [
          { ErrorCode: 406, Message: 'You tried to send to a recipient that has been marked as inactive.' },
        ],
      },
      { kind: 'rejected', error: { code: '406', detail: expect.stringContaining('inactive') } },
    ],
    ['maintenance', { status: 200, body: [{ ErrorCode: 100, Message: 'Maintenance' }] }, { kind: 'retry' }],
    ['no result', { status: 200, body: [] }, { kind: 'uncertain', error: { code: 'result_missing' } }],
    ['no list', { status: 200, body: {} }, { kind: 'uncertain', error: { code: 'response_malformed' } }],
    [
      'a request that it cannot read',
      { status: 422, body: { ErrorCode: 402, Message: 'Received invalid JSON input.' } },
      { kind: 'rejected', error: { code: '402' } },
    ],
    [
      'a wrong token',
      { status: 401, body: { ErrorCode: 10, Message: 'No Account or Server API tokens were supplied.' } },
      { kind: 'retry', error: { code: 'credentials_refused' } },
    ],
  ],
  sign: ({ body }) => ({
    body,
    headers: { authorization: `Basic ${Buffer.from('mill:postmark-password').toString('base64')}` },
  }),
  receipts: [
    [
      'a message that was delivered',
      JSON.stringify({
        MessageID: '883953f4-6105-42a2-a16a-77a8eac79483',
        Recipient: 'john@example.com',
        DeliveredAt: '2014-08-01T13:28:10.2735393-04:00',
        Details: 'Test delivery webhook details',
        Metadata: { millrace_key: key },
        RecordType: 'Delivery',
      }),
      {
        news: [
          {
            key,
            providerRef: '883953f4-6105-42a2-a16a-77a8eac79483',
            state: 'delivered',
            atMs: Date.UTC(2014, 7, 1, 17, 28, 10, 273),
          },
        ],
      },
    ],
    [
      'a bounce',
      JSON.stringify({
        RecordType: 'Bounce',
        Type: 'HardBounce',
        TypeCode: 1,
        MessageID: 'm1',
        Description: 'The server was unable to deliver your message.',
        Details: 'Test bounce details',
        BouncedAt: '2014-08-01T13:28:10.2735393-04:00',
      }),
      { news: [failed('hard_bounce', { error: { code: 'hard_bounce', detail: 'Test bounce details' } })] },
    ],
    ['a delay', '{"RecordType":"Bounce","Type":"Transient","MessageID":"m1"}', { news: [], ignored: 1 }],
    ['an open', '{"RecordType":"Open","MessageID":"m1"}', { news: [], ignored: 1 }],
  ],
};

const topicArn = 'arn:aws:sns:us-east-1:123456789012:MyTopic';
const sns = (event: object | string, more: object = {}) => {
  const notification: Record<string, string> = {
    Type: 'Notification',
    MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
    TopicArn: topicArn,
    Subject: 'Amazon SES Email Event Notification',
    Message: typeof event === 'string' ? event : JSON.stringify(event),
    Timestamp: '2012-05-02T00:54:06.655Z',
    SignatureVersion: '2',
    ...more,
  };
  const members = [
    'Message',
    'MessageId',
    'Subject',
    'SubscribeURL',
    'Timestamp',
    'Token',
    'TopicArn',
    'Type',
  ];
  const text = members
    .filter((name) => notification[name] !== undefined)
    .map((name) => `${name}\n${notification[name]}\n`);
  const algorithm = notification.SignatureVersion === '1' ? 'sha1' : 'sha256';
  const Signature = createSign(algorithm).update(text.join('')).sign(snsSigner.privateKey, 'base64');
  return JSON.stringify({ ...notification, Signature });
};
const mail = {
  messageId: 'EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000',
  tags: { 'ses:configuration-set': ['ConfigSet'], 'millrace-key': [key.replace('.', '_')] },
};
const bounce = {
  eventType: 'Bounce',
  bounce: {
    bounceType: 'Permanent',
    bounceSubType: 'General',
    bouncedRecipients: [{ emailAddress: 'a@example.com', diagnosticCode: 'smtp; 550 5.1.1 user unknown' }],
    timestamp: '2017-08-05T00:41:02.669Z',
  },
  mail,
};
const bounced = {
  news: [failed('general', { key, error: { code: 'general', detail: 'smtp; 550 5.1.1 user unknown' } })],
};
const ses: ProviderExample = {
  preset: 'ses',
  options: {
    region: 'eu-west-1',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: 'session-token',
    configurationSet: 'ConfigSet',
    receiptTopicArn: topicArn,
    receiptCertificate: snsSigner.certificate,
  },
  fields,
  posted: {
    path: '/v2/email/outbound-emails',
    headers: {
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/ses\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=[0-9a-f]{64}$/,
      ),
      'x-amz-date': expect.stringMatching(/^\d{8}T\d{6}Z$/),
      'x-amz-security-token': 'session-token',
    },
    read: json,
    body: {
      FromEmailAddress: fields.from,
      Destination: { ToAddresses: [fields.to] },
      Content: {
        Simple: {
          Subject: { Data: fields.subject, Charset: 'UTF-8' },
          Body: {
            Text: { Data: fields.body, Charset: 'UTF-8' },
            Html: { Data: fields.html, Charset: 'UTF-8' },
          },
          Headers: [{ Name: 'X-Campaign', Value: 'spring' }],
        },
      },
      ConfigurationSetName: 'ConfigSet',
      EmailTags: [{ Name: 'millrace-key', Value: key.replace('.', '_') }],
    },
  },
  sent: { status: 200, body: { MessageId: mail.messageId }, providerRef: mail.messageId },
  refusals: [
    [
      'an address that is not verified',
      {
        status: 400,
        headers: { 'x-amzn-ErrorType': 'MessageRejected:http://internal.amazon.com/coral/' },
        body: { message: 'Email address is not verified.' },
      },
      {
        kind: 'rejected',
        error: { code: 'message_rejected', detail: expect.stringContaining('not verified') },
      },
    ],
    [
      'too many requests',
      { status: 400, body: { __type: 'com.amazonaws.ses#ThrottlingException', message: 'Rate exceeded' } },
      { kind: 'retry', error: { code: 'throttling_exception' } },
    ],
    [
      'a wrong signature',
      {
        status: 403,
        headers: { 'x-amzn-errortype': 'InvalidSignatureException' },
        body: { message: 'No match' },
      },
      { kind: 'retry', error: { code: 'invalid_signature_exception' } },
    ],
  ],
  sign: ({ body }) => ({ body, headers: { 'content-type': 'text/plain; charset=UTF-8' } }),
  forge: ({ body, headers }) => ({ body: body.replace('Amazon SES', 'Amazon XES'), headers }),
  receipts: [
    [
      'a message that was delivered',
      sns({ eventType: 'Delivery', mail, delivery: { timestamp: '2016-10-19T23:21:04.133Z' } }),
      {
        news: [
          {
            key,
            providerRef: mail.messageId,
            state: 'delivered',
            atMs: Date.UTC(2016, 9, 19, 23, 21, 4, 133),
          },
        ],
      },
    ],
    ['a bounce', sns(bounce), bounced],
    ['a bounce, signed by version 1', sns(bounce, { SignatureVersion: '1' }), bounced],
    [
      'a refusal of Amazon',
      sns({ eventType: 'Reject', mail, reject: { reason: 'Bad content' } }),
      { news: [failed('rejected', { error: { code: 'rejected', detail: 'Bad content' } })] },
    ],
    ['an open', sns({ eventType: 'Open', mail }), { news: [], ignored: 1 }],
    [
      'a subscription that waits to be confirmed',
      sns('You have chosen to subscribe', {
        Type: 'SubscriptionConfirmation',
        Subject: undefined,
        Token: 't1',
        SubscribeURL: 'https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription',
      }),
      {
        kind: 'refused',
        status: 403,
        detail: expect.stringContaining('https://sns.us-east-1.amazonaws.com/'),
      },
    ],
    [
      'a notification of another topic',
      sns(bounce, { TopicArn: `${topicArn}2` }),
      { kind: 'refused', status: 403, detail: expect.stringContaining('receiptTopicArn') },
    ],
  ],
};

export const emailExamples = [sendgrid, mailgun, postmark, ses];
