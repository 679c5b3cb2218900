import type { SigningKey } from '../../lib/standard-webhooks.ts';
import { signatures, signingKey } from '../../lib/standard-webhooks.ts';
import { signStatusReport, statusReportUrl } from '../../message/status-report.ts';
import type { Answer, OutgoingMessage } from '../connector.ts';
import { sendError, UnsendableError } from '../send-errors.ts';
import type { Exchange } from '../transport/http-sender.ts';
import { reservedHeaders } from '../transport/option-checks.ts';
import { isTaken, quote, refusalAnswer, retryAfterMs } from '../transport/reply-answer.ts';
import type { PostedRequest, Reply } from '../transport/request-slot.ts';
import type { EndpointFor } from './webhook-endpoints.ts';
import type { WebhookSecret } from './webhook-options.ts';

/** What an endpoint says beside its status is for its owner: this much of it is read. */
const responseBytesMax = 16 * 1024;

/** Characters of a message's own headers, names and values together. */
const headersLengthMax = 8_192;

/**
 * One message a request, as Standard Webhooks has it: its payload as JSON, or its body as it is. `webhook-id` is the same in
 * every attempt; that of a message that had failed and is replayed is `<id>.<n>`, for it is meant to be taken again. A status report
 * has neither: it is asked for by GET, as MessageBird's classic API did.
 */
export function webhookExchange({
  secrets,
  headers,
  endpointFor,
  reportKeyOf,
}: {
  /** Of messages to URLs; those to registered endpoints are signed with their own. */
  secrets: readonly WebhookSecret[];
  headers: Record<string, string>;
  endpointFor: EndpointFor;
  /** What signs the status reports of an account's messages. */
  reportKeyOf: (accountId: number) => string | undefined;
}): Exchange {
  const keys = secrets.map(({ secret, expiresAt }) => ({
    key: signingKey(secret)!,
    untilMs: expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
  }));
  const all = keys.map(({ key }) => key);
  const allHoldUntilMs = Math.min(...keys.map(({ untilMs }) => untilMs));
  const fixed = new Map([
    ['user-agent', 'millrace'],
    ...Object.entries(headers).map(([name, value]): [string, string] => [name.toLowerCase(), value]),
  ]);
  const fixedFlat = [...fixed].flat();
  return {
    batchMax: 1,
    responseBytesMax,
    request([message]) {
      const { key: id, fields } = message!;
      const nowMs = Date.now();
      if (fields.report !== undefined) {
        return reportRequest(message!, {
          headers: fixedFlat,
          signingKey: reportKeyOf(message!.accountId),
          nowMs,
        });
      }
      const { type, body } = contentOf(message!);
      const timestamp = Math.floor(nowMs / 1_000);
      const signers = endpointFor(message!)?.keys ?? (nowMs < allHoldUntilMs ? all : inForce(keys, nowMs));
      const signed = signatures(signers, { id, timestamp, body });
      const others =
        fields.headers === undefined && !fixed.has('content-type')
          ? ['content-type', type, ...fixedFlat]
          : [...new Map([['content-type', type], ...fixed, ...ownHeaders(fields.headers)])].flat();
      others.push('webhook-id', id, 'webhook-timestamp', String(timestamp), 'webhook-signature', signed);
      return { headers: others, body };
    },
    answers: (_, reply) => [answer(reply)],
  };
}

function reportRequest(
  { fields: { to, report } }: OutgoingMessage,
  { headers, signingKey, nowMs }: { headers: string[]; signingKey: string | undefined; nowMs: number },
): PostedRequest {
  if (signingKey === undefined) throw new UnsendableError('unknown_signing_key');
  const signed = signStatusReport({ url: statusReportUrl(to, report!) }, { signingKey, nowMs });
  return { method: 'GET', headers: [...headers, 'messagebird-signature-jwt', signed], body: null };
}

/** The one that never expires is always among them. */
function inForce(keys: readonly { key: SigningKey; untilMs: number }[], nowMs: number): SigningKey[] {
  return keys.filter(({ untilMs }) => nowMs < untilMs).map(({ key }) => key);
}

function contentOf({ payloadText, fields }: OutgoingMessage): { type: string; body: string } {
  const { payload, body } = fields;
  if (payload !== undefined)
    return { type: 'application/json', body: payloadText ?? JSON.stringify(payload) };
  if (body !== undefined) return { type: 'text/plain; charset=utf-8', body };
  throw new Error('the message has neither payload nor body');
}

/** By their names in lower case. */
function ownHeaders(headers: Record<string, string> = {}): Map<string, string> {
  const own = new Map<string, string>();
  let length = 0;
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    if (reservedHeaders.has(name) || name.startsWith('webhook-')) {
      throw new Error(`the header "${name}" is not the message's to set`);
    }
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw new Error(`the header "${name}" is not Latin-1`);
    length += name.length + value.length;
    own.set(name, value);
  }
  if (length > headersLengthMax)
    throw new Error(`its headers are longer than ${headersLengthMax} characters`);
  return own;
}

/**
 * 2xx is success, all else that an endpoint answers is a failure that may pass: it did not take the message, by the
 * specification. Only 410 is for good.
 */
function answer(reply: Reply): Answer {
  if (isTaken(reply)) return { kind: 'sent' };
  if (reply.kind === 'unsent' || reply.kind === 'lost') return refusalAnswer(reply);
  const { status } = reply;
  if (status === 410) return { kind: 'rejected', error: sendError('endpoint_gone', quote(reply)) };
  if (status >= 300 && status < 400) {
    return { kind: 'retry', error: sendError('redirect_refused', `HTTP ${status}`) };
  }
  const busy = { 429: 'rate_limited', 503: 'provider_unavailable' } as const;
  const error = sendError(busy[status as keyof typeof busy] ?? 'endpoint_failed', quote(reply));
  const askedMs = mayAskForTime.has(status) ? retryAfterMs(reply) : undefined;
  return { kind: 'retry', error, ...(askedMs !== undefined && { retryAfterMs: askedMs }) };
}

/** The statuses that the specification has for an endpoint that is asked too much. */
const mayAskForTime = new Set([429, 502, 503, 504]);
