import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Answer, OutgoingMessage } from '../connector.ts';
import { oneLine, sendError } from '../send-errors.ts';
import type { Exchange } from '../transport/http-sender.ts';
import { providerRef } from '../transport/provider-ref.ts';
import {
  isObject,
  isTaken,
  providerCode,
  quote,
  refusalAnswer,
  routeRefusals,
  type StatusReply,
} from '../transport/reply-answer.ts';
import type { Reply } from '../transport/request-slot.ts';
import { answerForAll } from './answer-for-all.ts';
import type { Fields, OptionValues, Preset } from './preset.ts';

/** An id or an error; of five hundred results each a few hundred bytes. */
const responseBytesMax = { single: 64 * 1024, batch: 1024 * 1024 } as const;

/** Characters of a provider's words on one message. */
const wordsLengthMax = 300;

/** Messages as a preset posts them, and its provider's answers as it reads them. */
export function presetExchange(preset: Preset, options: OptionValues, url: URL): Exchange {
  const batchMax = preset.batchMax ?? 1;
  return {
    batchMax,
    responseBytesMax: batchMax > 1 ? responseBytesMax.batch : responseBytesMax.single,
    request(messages) {
      const { contentType, body } = encode(preset, messages, options);
      const headers = {
        'content-type': contentType,
        'user-agent': 'millrace',
        ...(messages.length === 1 && preset.messageHeaders?.(messages[0]!)),
        ...preset.authenticate(options, { url, contentType, body, nowMs: Date.now() }),
      };
      return { headers: Object.entries(headers).flat(), body };
    },
    answers: (messages, reply) => answers(preset, messages, reply),
  };
}

function encode(
  preset: Preset,
  messages: readonly OutgoingMessage[],
  options: OptionValues,
): { contentType: string; body: string } {
  const { encoding, batchMax = 1 } = preset;
  const fields = messages.map((message) => preset.message(message, options));
  const first = fields[0]!;
  if (encoding === 'json') {
    return { contentType: 'application/json', body: JSON.stringify(batchMax > 1 ? fields : first) };
  }
  if (encoding === 'form') {
    const body = new URLSearchParams(first as [string, string][]).toString();
    return { contentType: 'application/x-www-form-urlencoded', body };
  }
  return multipart(first);
}

/** RFC 7578. 192 random bits are in no value. */
function multipart(fields: Fields): { contentType: string; body: string } {
  const boundary = randomBytes(24).toString('hex');
  const parts = (fields as [string, string][]).map(
    ([name, value]) =>
      `--${boundary}\r\ncontent-disposition: form-data; name="${escapeName(name)}"\r\n\r\n${value}\r\n`,
  );
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: `${parts.join('')}--${boundary}--\r\n`,
  };
}

/** As browsers do. */
function escapeName(name: string): string {
  return name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}

function answers(preset: Preset, messages: readonly OutgoingMessage[], reply: Reply): Answer[] {
  if (!isTaken(reply)) {
    const answer = refusal(preset, reply);
    return messages.map(() => answerForAll(answer, messages.length));
  }
  if ((preset.batchMax ?? 1) === 1) return [singleAnswer(preset, reply)];
  if (reply.kind === 'cut') return messages.map(() => ({ kind: 'uncertain', error: reply.error }));
  const results = jsonOf(reply.body);
  if (!Array.isArray(results)) {
    const error = sendError('response_malformed', `HTTP ${reply.status} without a list of results`);
    return messages.map(() => ({ kind: 'uncertain', error }));
  }
  return messages.map((_, n) => resultAnswer(preset, results[n]));
}

/** Every provider in the catalogue names what it took: an answer without an id is somebody else's, such as a proxy's page. */
function singleAnswer({ answer }: Preset, reply: StatusReply): Answer {
  const json = jsonOf(reply.body);
  const ref = answer.providerRef(isObject(json) ? json : {}, headersOf(reply.headers));
  // Of a body that did not come in full, the status decides.
  if (reply.kind === 'cut' || isRef(ref)) return sent(ref);
  return { kind: 'uncertain', error: sendError('response_malformed', `without an id; ${quote(reply)}`) };
}

function isRef(ref: unknown): boolean {
  return (typeof ref === 'string' && ref !== '') || typeof ref === 'number';
}

function sent(ref: unknown): Answer {
  const known = providerRef(ref);
  return known === undefined ? { kind: 'sent' } : { kind: 'sent', providerRef: known };
}

function resultAnswer({ answer }: Preset, result: unknown): Answer {
  if (!isObject(result)) return { kind: 'uncertain', error: sendError('result_missing') };
  if (answer.isTaken?.(result) ?? true) return sent(answer.providerRef(result, {}));
  const { code, words } = wordsOf(answer.refusal(result, {}));
  const isTransient = answer.isTransient?.({ status: 200, code }) ?? false;
  const made = sendError(isTransient ? 'provider_unavailable' : 'provider_rejected', words);
  return { kind: isTransient ? 'retry' : 'rejected', error: { ...made, code: code ?? made.code } };
}

/** A request that the provider refused as a whole, or of which nobody knows. */
function refusal({ answer }: Preset, reply: Reply): Answer {
  const general = refusalAnswer(reply);
  if (reply.kind === 'unsent' || reply.kind === 'lost' || general.kind === 'sent') return general;
  const json = jsonOf(reply.body);
  const { code, words } = wordsOf(answer.refusal(isObject(json) ? json : {}, headersOf(reply.headers)));
  const { status } = reply;
  const errorOf = (fallback: Parameters<typeof sendError>[0]) => {
    const made = sendError(fallback, words === undefined ? `HTTP ${status}` : `HTTP ${status}: ${words}`);
    return code === undefined ? made : { ...made, code };
  };
  const ofRoute = routeRefusals.get(status);
  if (ofRoute) {
    const cause = [`HTTP ${status}`, [code, words].filter((part) => part !== undefined).join(' ')];
    return { kind: 'retry', error: sendError(ofRoute, cause.filter((part) => part !== '').join(': ')) };
  }
  if (general.kind !== 'rejected' || general.error.code === 'redirect_refused') return general;
  if (answer.isTransient?.({ status, code }))
    return { kind: 'retry', error: errorOf('provider_unavailable') };
  return { kind: 'rejected', error: errorOf('provider_rejected') };
}

function wordsOf({ code, detail }: { code?: unknown; detail?: unknown }) {
  const words = typeof detail === 'string' && detail !== '' ? oneLine(detail, wordsLengthMax) : undefined;
  return { code: providerCode(code), words };
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** undici's flat list of names and values, the names in lower case. */
function headersOf(list: Buffer[]): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (let n = 0; n + 1 < list.length; n += 2) {
    headers[list[n]!.toString('latin1').toLowerCase()] = list[n + 1]!.toString('latin1');
  }
  return headers;
}
