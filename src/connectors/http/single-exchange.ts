import type { Answer } from '../connector.ts';
import type { Exchange } from '../transport/http-sender.ts';
import { providerRef } from '../transport/provider-ref.ts';
import { isTaken, jsonObject, refusalAnswer } from '../transport/reply-answer.ts';
import type { Reply } from '../transport/request-slot.ts';
import type { MessageJson } from './body-template.ts';

/** An answer to one message is an id and little else; of a larger one the status still counts. */
const responseBytesMax = 16 * 1024;

/** One message a request. The status decides as soon as it is there, whatever becomes of the body. */
export function singleExchange(headers: readonly string[], messageJson: MessageJson): Exchange {
  return {
    batchMax: 1,
    responseBytesMax,
    request: ([message]) => ({
      headers: [...headers, 'idempotency-key', message!.key],
      body: messageJson(message!),
    }),
    answers: (_, reply) => [answer(reply)],
  };
}

function answer(reply: Reply): Answer {
  if (!isTaken(reply)) return refusalAnswer(reply);
  const ref = reply.kind === 'answered' ? providerRef(jsonObject(reply.body)?.id) : undefined;
  return ref === undefined ? { kind: 'sent' } : { kind: 'sent', providerRef: ref };
}
