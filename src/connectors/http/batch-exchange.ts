import type { Answer, OutgoingMessage } from '../connector.ts';
import { oneLine, sendError } from '../send-errors.ts';
import type { Exchange } from '../transport/http-sender.ts';
import { providerRef } from '../transport/provider-ref.ts';
import { isObject, isTaken, jsonObject, providerCode, refusalAnswer } from '../transport/reply-answer.ts';
import type { Reply } from '../transport/request-slot.ts';
import { answerForAll } from './answer-for-all.ts';
import type { MessageJson } from './body-template.ts';

/** A thousand results with a reference and an error each fit; more is refused unread. */
const responseBytesMax = 1024 * 1024;

/** Characters of a provider's words on one message. */
const resultDetailLengthMax = 300;

/**
 * Many messages a request: `{messages: [{id, …}]}` there, `{results: [{id, status, …}]}` back. A message
 * whose idempotency key is not its id (a replay) carries it as `idempotencyKey`.
 */
export function batchExchange(settings: {
  batchMax: number;
  headers: readonly string[];
  messageJson: MessageJson;
}): Exchange {
  const { messageJson } = settings;
  const headers = [...settings.headers];
  return {
    batchMax: settings.batchMax,
    responseBytesMax,
    request: (messages) => ({
      headers,
      body: `{"messages":[${messages.map((message) => withKey(message, messageJson(message))).join()}]}`,
    }),
    answers,
  };
}

function withKey({ id, key }: OutgoingMessage, json: string): string {
  if (key === id || !json.startsWith('{')) return json;
  const member = `"idempotencyKey":${JSON.stringify(key)}`;
  return json === '{}' ? `{${member}}` : `${json.slice(0, -1)},${member}}`;
}

function answers(messages: readonly OutgoingMessage[], reply: Reply): Answer[] {
  if (!isTaken(reply)) return messages.map(() => answerForAll(refusalAnswer(reply), messages.length));
  if (reply.kind === 'cut') return messages.map(() => ({ kind: 'uncertain', error: reply.error }));
  const results = jsonObject(reply.body)?.results;
  if (!Array.isArray(results)) {
    const error = sendError('response_malformed', `HTTP ${reply.status} without a list of results`);
    return messages.map(() => ({ kind: 'uncertain', error }));
  }
  return matchResults(messages, results);
}

/** Results in the order of the messages, as most providers give them, need no index. */
function matchResults(messages: readonly OutgoingMessage[], results: readonly unknown[]): Answer[] {
  if (messages.every(({ id }, n) => idOf(results[n]) === id)) {
    return messages.map((_, n) => resultAnswer(results[n]));
  }
  const byId = new Map<string, unknown>();
  for (const result of results) {
    const id = idOf(result);
    // Of two results for one message, the first counts.
    if (id !== undefined && !byId.has(id)) byId.set(id, result);
  }
  return messages.map(({ id }) => resultAnswer(byId.get(id)));
}

function idOf(result: unknown): string | undefined {
  return isObject(result) && typeof result.id === 'string' ? result.id : undefined;
}

function resultAnswer(result: unknown): Answer {
  if (!isObject(result)) return { kind: 'uncertain', error: sendError('result_missing') };
  if (result.status === 'sent') {
    const ref = providerRef(result.providerRef);
    return ref === undefined ? { kind: 'sent' } : { kind: 'sent', providerRef: ref };
  }
  if (result.status === 'failed')
    return { kind: 'rejected', error: resultError(result, 'provider_rejected') };
  if (result.status === 'retry') return { kind: 'retry', error: resultError(result, 'provider_unavailable') };
  return { kind: 'uncertain', error: sendError('response_malformed', 'a result with an unknown status') };
}

/** `error` is text or `{code?, detail? or message?}`. */
function resultError(
  result: Record<string, unknown>,
  fallback: 'provider_rejected' | 'provider_unavailable',
) {
  const { error } = result;
  const words = isObject(error) ? (error.detail ?? error.message) : error;
  const quoted = typeof words === 'string' ? oneLine(words, resultDetailLengthMax) : undefined;
  const code = isObject(error) ? providerCode(error.code) : undefined;
  const made = sendError(fallback, quoted);
  return code === undefined ? made : { ...made, code };
}
