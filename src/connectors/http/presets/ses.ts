import type { IncomingHttpHeaders } from 'node:http';
import { isObject } from '../../transport/reply-answer.ts';
import { definePreset } from '../preset.ts';
import { matching, memberOf, needed, neededText, newsOf, present, timeOf } from '../preset-fields.ts';
import { signRequest } from '../sign-request.ts';
import { isCertificate, isSnsSigned } from '../sns-signature.ts';

/**
 * Amazon SES API v2. By "SendEmail" and "Common errors" of the API reference, "Examples of event data that Amazon SES
 * publishes to Amazon SNS", "Contents of event data" and "Verifying the signatures of Amazon SNS messages". Tags come back in
 * the events of a configuration set.
 *
 * Receipts come by SNS. The certificate that a notification names is not fetched: it is signed by the certificate that the
 * route has, or nothing but the topic's name is checked.
 */
export const ses = definePreset({
  channel: 'email',
  options: {
    region: {
      required: true,
      accepts: matching(/^[a-z]{2}(-[a-z]+)+-\d$/),
      problem: 'region is one such as eu-west-1.',
      description: 'such as `eu-west-1`',
    },
    accessKeyId: { required: true, description: 'of a user that may send' },
    secretAccessKey: { required: true, description: 'of a user that may send' },
    sessionToken: { description: 'of temporary credentials' },
    configurationSet: { description: 'whose events go to the topic of the receipts' },
    receiptTopicArn: {
      accepts: matching(/^arn:aws[\w-]*:sns:[\w-]+:\d{12}:[\w-]+(\.fifo)?$/),
      problem: 'receiptTopicArn is the ARN of an SNS topic.',
      description: 'the only SNS topic whose notifications are taken for receipts',
    },
    receiptCertificate: {
      lines: true,
      accepts: isCertificate,
      problem: 'receiptCertificate is a certificate in PEM.',
      description:
        'the signing certificate of SNS in the region, from the `SigningCertURL` of a notification: receipts must be signed by it',
    },
  },
  baseUrl: ({ region }) => `https://email.${region}.amazonaws.com`,
  path: () => '/v2/email/outbound-emails',
  authenticate: (options, request) => signRequest({ ...options, service: 'ses' }, request),
  encoding: 'json',
  message: ({ key, fields }, { configurationSet }) =>
    present({
      FromEmailAddress: needed(fields.from, 'from'),
      Destination: { ToAddresses: [fields.to] },
      Content: {
        Simple: present({
          Subject: utf8(needed(fields.subject, 'subject')),
          Body: bodyOf(neededText(fields)),
          Headers: fields.headers && Object.entries(fields.headers).map(([Name, Value]) => ({ Name, Value })),
        }),
      },
      ConfigurationSetName: configurationSet,
      // Tags take letters, digits, "-" and "_".
      EmailTags: [{ Name: tagName, Value: key.replace('.', '_') }],
    }),
  answer: {
    providerRef: ({ MessageId }) => MessageId,
    refusal: (body, headers) => ({ code: typeOf(headers, body), detail: body.message ?? body.Message }),
    // 403 is said of credentials and rights alone.
    isTransient: ({ status, code }) => status === 403 || transientCodes.has(code ?? ''),
  },
  receipts: {
    format: 'json',
    distrust({ receiptTopicArn, receiptCertificate }, { body }) {
      const notification = parsed(Buffer.from(body).toString('utf8'));
      if (receiptTopicArn !== undefined && notification.TopicArn !== receiptTopicArn) {
        return 'The notification is not of the receiptTopicArn of the route.';
      }
      if (receiptCertificate !== undefined && !isSnsSigned(notification, receiptCertificate)) {
        return 'The notification is not signed by the receiptCertificate of the route.';
      }
      const { Type, SubscribeURL } = notification;
      if (Type !== 'SubscriptionConfirmation') return undefined;
      return `Receipts of the topic begin when somebody has opened the SubscribeURL: ${String(SubscribeURL)}`;
    },
    news({ Type, Message }) {
      if (Type !== 'Notification' || typeof Message !== 'string') return undefined;
      const event = parsed(Message);
      const mail = memberOf(event, 'mail');
      const tag = memberOf(mail, 'tags')[tagName];
      const key = Array.isArray(tag) && typeof tag[0] === 'string' ? tag[0].replace('_', '.') : undefined;
      const told = verdictOf(event);
      return told && newsOf({ ...told, key, providerRef: mail.messageId });
    },
  },
});

const tagName = 'millrace-key';

/** `ThrottlingException` and the like, as the codes of errors are written here. */
const transientCodes = new Set([
  'throttling_exception',
  'throttling',
  'too_many_requests_exception',
  'limit_exceeded_exception',
  'sending_paused_exception',
  'account_suspended_exception',
]);

const utf8 = (data: string) => ({ Data: data, Charset: 'UTF-8' });

const bodyOf = ({ body, html }: { body?: string; html?: string }) =>
  present({
    Text: body === undefined ? undefined : utf8(body),
    Html: html === undefined ? undefined : utf8(html),
  });

/** What an event (of a configuration set) or a notification (of an identity) says of a delivery. */
function verdictOf(event: Record<string, unknown>) {
  switch (event.eventType ?? event.notificationType) {
    case 'Delivery':
      return { state: 'delivered', atMs: timeOf(memberOf(event, 'delivery').timestamp) } as const;
    case 'Bounce': {
      const bounce = memberOf(event, 'bounce');
      const recipients: unknown = bounce.bouncedRecipients;
      const first: unknown = Array.isArray(recipients) ? recipients[0] : undefined;
      const detail = isObject(first) ? first.diagnosticCode : undefined;
      const code = bounce.bounceSubType ?? bounce.bounceType;
      return { state: 'failed', code, detail, atMs: timeOf(bounce.timestamp) } as const;
    }
    case 'Reject':
      return { state: 'failed', code: 'rejected', detail: memberOf(event, 'reject').reason } as const;
    case 'Rendering Failure':
      return {
        state: 'failed',
        code: 'rendering_failure',
        detail: memberOf(event, 'failure').errorMessage,
      } as const;
    default:
      return undefined;
  }
}

/** `x-amzn-errortype: BadRequestException:http://…`, or `__type` with a name space before a hash. */
function typeOf(headers: IncomingHttpHeaders, { __type }: Record<string, unknown>): string | undefined {
  const given = headers['x-amzn-errortype'] ?? __type;
  return typeof given === 'string' ? given.replace(/^.*#/, '').replace(/:.*$/s, '') : undefined;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
