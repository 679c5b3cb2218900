import { ApiError, type Client, ConnectionError, type SendAnswer } from '../client/client.ts';
import type { Reason } from './outbox-session.ts';

/** What a request came to. */
export type Posted =
  /** Millrace has it; `refused` are messages that it did not take, by their places, and `held` those that it takes later. */
  | { kind: 'settled'; refused: ReadonlyMap<number, Reason>; held: ReadonlyMap<number, Reason> }
  /** It took nothing of it, and will not: the whole request is at fault. */
  | { kind: 'refused'; reason: Reason }
  /** Nobody can find out any more what it took. */
  | { kind: 'unknown'; reason: Reason }
  /** To be posted again. `certain`: this try left nothing there. `held`: Millrace is there, and takes nothing of it now. */
  | { kind: 'again'; certain: boolean; retryAfterMs: number; error: Error; held?: Reason };

/**
 * Posts the messages under one idempotency key, once: the client is one that does not try again by itself.
 * @throws ApiError where the key is not one that may send; nothing was taken
 */
export async function postMessages(
  client: Client,
  {
    texts,
    idempotencyKey,
    signal,
  }: { texts: readonly string[]; idempotencyKey: string; signal: AbortSignal },
): Promise<Posted> {
  try {
    const { value } = await client.call<SendAnswer>({
      method: 'POST',
      path: '/v1/messages',
      body: Buffer.from(`[${texts.join(',')}]`),
      idempotencyKey,
      signal,
    });
    return settled(value.errors);
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof ConnectionError) {
      return { kind: 'again', certain: error.kind === 'unreachable', retryAfterMs: 0, error };
    }
    if (error instanceof ApiError) return judge(error, texts.length);
    throw error;
  }
}

function judge(error: ApiError, count: number): Posted {
  const { problem, retryAfterMs } = error;
  const { status, code, detail, errors } = problem;
  if (status === 401 || status === 403) throw error;
  const parts = settled(errors);
  if (status === 422 && parts.refused.size + parts.held.size === count) return parts;
  if (code === 'idempotency_key_reused' || (code === 'conflict' && retryAfterMs === undefined)) {
    return { kind: 'unknown', reason: { code, detail } };
  }
  if (refusals.has(code)) return { kind: 'refused', reason: { code, detail } };
  const again = { kind: 'again', retryAfterMs: retryAfterMs ?? 0, error } as const;
  if (heldCodes.has(code)) return { ...again, certain: true, held: { code, detail } };
  // What another program than Millrace answers says nothing of the messages either.
  return { ...again, certain: status === 429 };
}

/** Of the request as a whole, for what is in it. */
const refusals = new Set(['invalid_json', 'payload_too_large', 'validation_failed', 'not_available']);

/** The messages are not at fault, and wait until the account may send them. */
const heldCodes = new Set(['quota_exceeded', 'credit_exhausted', 'overloaded']);

type ErrorOfMessage = { index?: number; code: string; detail: string };

function settled(errors: readonly ErrorOfMessage[] | undefined): Extract<Posted, { kind: 'settled' }> {
  const [refused, held] = [new Map<number, Reason>(), new Map<number, Reason>()];
  for (const { index, code, detail } of errors ?? []) {
    if (index !== undefined) (heldCodes.has(code) ? held : refused).set(index, { code, detail });
  }
  return { kind: 'settled', refused, held };
}
