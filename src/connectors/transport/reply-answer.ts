import { parseRetryAfter } from '../../lib/parse-retry-after.ts';
import { mayNamePerson } from '../../message/may-name-person.ts';
import type { Answer, SendError } from '../connector.ts';
import { oneLine, type SendErrorCode, sendError } from '../send-errors.ts';
import type { Reply } from './request-slot.ts';

/** Bytes of a refusal's body that its detail may quote. */
const quotedBytesMax = 300;

/** Longest error code that is taken over from a provider. */
const providerCodeLengthMax = 64;

/** An hour: a provider's longer wish is met by asking again, so that a wrong clock cannot park a route. */
export const retryAfterMsMax = 3_600_000;

/** Of requests that cannot be made. */
const hopelessCodes: ReadonlySet<string> = new Set([
  'request_invalid',
  'unknown_endpoint',
  'endpoint_disabled',
]);

/** Statuses that refuse the route, whatever the message: whoever mends it finds its messages still there. */
export const routeRefusals: ReadonlyMap<number, SendErrorCode> = new Map([
  [401, 'credentials_refused'],
  [402, 'credit_exhausted'],
]);

/** What a reply that is no 2xx says of every message in its request. */
export function refusalAnswer(reply: Reply): Answer {
  if (reply.kind === 'unsent') {
    // Only a request that can never be formed is hopeless; whatever else kept it here may pass.
    return { kind: hopelessCodes.has(reply.error.code) ? 'rejected' : 'retry', error: reply.error };
  }
  if (reply.kind === 'lost') return { kind: 'uncertain', error: reply.error };
  const { status } = reply;
  if (status === 429 || status === 503) return retryAnswer(reply);
  if (status === 408 || status === 425 || status >= 500) {
    return { kind: 'uncertain', error: sendError('provider_error', quote(reply)) };
  }
  if (status >= 300 && status < 400) {
    return { kind: 'rejected', error: sendError('redirect_refused', `HTTP ${status}`) };
  }
  const ofRoute = routeRefusals.get(status);
  if (ofRoute) return { kind: 'retry', error: sendError(ofRoute, quote(reply)) };
  return { kind: 'rejected', error: providerError(reply) };
}

/** True when the status says that the provider took the request. */
export function isTaken(reply: Reply): reply is StatusReply {
  return (reply.kind === 'answered' || reply.kind === 'cut') && reply.status >= 200 && reply.status < 300;
}

/**
 * A code of the provider's in snake_case, or undefined when it is none. Codes are counted and kept, also where erasing a
 * person does not look: one that may name a person is none.
 */
export function providerCode(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  if (mayNamePerson(String(value))) return undefined;
  const code = String(value)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase();
  return code === '' || code.length > providerCodeLengthMax ? undefined : code;
}

/** The JSON object in a body, or undefined. */
export function jsonObject(body: Buffer): Record<string, unknown> | undefined {
  if (body.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A reply whose status came. */
export type StatusReply = Extract<Reply, { kind: 'answered' | 'cut' }>;

function retryAnswer(reply: StatusReply): Answer {
  const code = reply.status === 429 ? 'rate_limited' : 'provider_unavailable';
  const error = sendError(code, `HTTP ${reply.status}`);
  const askedMs = retryAfterMs(reply);
  return askedMs === undefined ? { kind: 'retry', error } : { kind: 'retry', error, retryAfterMs: askedMs };
}

/** The wait that an answer asks for, within the limit. */
export function retryAfterMs({ headers }: StatusReply): number | undefined {
  const value = headerValue(headers, 'retry-after');
  const askedMs = value === undefined ? undefined : parseRetryAfter(value, Date.now());
  return askedMs === undefined ? undefined : Math.min(askedMs, retryAfterMsMax);
}

/** `{code, …}`, `{error: "…"}` and `{error: {code, …}}` are how most JSON interfaces name a refusal. */
function providerError(reply: StatusReply): SendError {
  const error = sendError('provider_rejected', quote(reply));
  const object = jsonObject(reply.body);
  const inner = object !== undefined && isObject(object.error) ? object.error : object;
  const code = providerCode(inner?.code);
  return code === undefined ? error : { ...error, code };
}

/** The status and the first words of an answer. */
export function quote(reply: StatusReply): string {
  const text = oneLine(reply.body.toString('utf8', 0, quotedBytesMax), quotedBytesMax);
  return text === '' ? `HTTP ${reply.status}` : `HTTP ${reply.status}: ${text}`;
}

/** The first value of a header in undici's flat list of names and values. */
function headerValue(headers: Buffer[], name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]!.length === name.length && headers[i]!.toString('latin1').toLowerCase() === name) {
      return headers[i + 1]!.toString('latin1');
    }
  }
  return undefined;
}
