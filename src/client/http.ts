import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, ConnectionError } from './client-error.ts';
import { type Answer, createExchange, type ExchangeRequest, type ExchangeSettings } from './exchange.ts';
import { retryWaitMs, wait } from './retry-wait.ts';

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON; bytes are JSON already. */
  body?: unknown;
  /**
   * Of a write; one is made up when absent, so that a retry cannot do it twice, nor find that what it deletes is gone.
   * `false` sends none, which costs the server less: the call is then tried again only where it certainly was not done
   * (429, no connection).
   */
  idempotencyKey?: string | false;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

export interface Reply<T> {
  value: T;
  headers: IncomingHttpHeaders;
  /** The server had done this before, under the same idempotency key, and gave its first answer again. */
  replayed: boolean;
}

export interface HttpSettings extends ExchangeSettings {
  /** Tries of one call, the first included. */
  attemptsMax: number;
  /** Whether a server that cannot be connected to is tried again too. */
  retryUnreachable: boolean;
  /** The longest `Retry-After` that is waited for; beyond it the call fails and tells. */
  retryAfterMaxMs: number;
  /** Ends every call that brings no signal of its own. */
  signal: AbortSignal | undefined;
}

/** Calls with retries, pages and raw streams: what the resources of the client are built from. */
export interface Http {
  /** Of calls that bring none of their own. */
  readonly signal: AbortSignal | undefined;
  call<T>(call: Call): Promise<Reply<T>>;
  value<T>(call: Call): Promise<T>;
  /** Every item of a keyset list, page after page. */
  items<T>(call: Call): AsyncGenerator<T, void, undefined>;
  /** One try; the body is the caller's to read. */
  stream(request: Omit<ExchangeRequest, 'path'> & Pick<Call, 'path' | 'query'>): Promise<Answer>;
  /** One try of an upload, which is resumed by other means than a repetition. */
  upload(request: ExchangeRequest): Promise<unknown>;
  close(): void;
}

export interface Page<T> {
  data: T[];
  next: string | null;
}

export function createHttp(settings: HttpSettings): Http {
  const exchange = createExchange(settings);

  async function call<T>(call: Call): Promise<Reply<T>> {
    const signal = call.signal ?? settings.signal;
    const request = requestOf({ ...call, signal });
    for (let attempt = 1; ; attempt++) {
      try {
        const { value, headers } = await exchange.json(request);
        return { value: value as T, headers, replayed: headers['idempotent-replayed'] === 'true' };
      } catch (error) {
        const waitMs =
          attempt < settings.attemptsMax
            ? retryInMs(error, {
                failures: attempt,
                repeatable: request.method === 'GET' || call.idempotencyKey !== false,
                settings,
              })
            : undefined;
        if (waitMs === undefined) throw error;
        await wait(waitMs, signal);
      }
    }
  }

  async function value<T>(of: Call): Promise<T> {
    return (await call<T>(of)).value;
  }

  return {
    signal: settings.signal,
    call,
    value,
    async *items<T>(list: Call) {
      let after = list.query?.after;
      do {
        const query = { ...list.query, after };
        const page: Page<T> = await value<Page<T>>({ ...list, query });
        yield* page.data;
        after = page.next ?? undefined;
      } while (after !== undefined);
    },
    stream: ({ query, ...request }) =>
      exchange.stream({
        ...request,
        path: pathOf(request.path, query),
        signal: request.signal ?? settings.signal,
      }),
    upload: async (request) =>
      (await exchange.json({ ...request, signal: request.signal ?? settings.signal })).value,
    close: () => exchange.close(),
  };
}

function requestOf({
  method = 'GET',
  path,
  query,
  body,
  idempotencyKey,
  headers,
  signal,
}: Call): ExchangeRequest {
  const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return {
    method,
    path: pathOf(path, query),
    headers: {
      ...(bytes === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method !== 'GET' && idempotencyKey !== false
        ? { 'idempotency-key': idempotencyKey ?? randomUUID() }
        : {}),
      ...headers,
    },
    ...(bytes === undefined ? {} : { body: bytes }),
    signal,
  };
}

export function pathOf(path: string, query: Call['query']): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? path : `${path}?${search}`;
}

interface Circumstances {
  failures: number;
  /** Doing it twice is doing it once: reads by nature, writes by their key. */
  repeatable: boolean;
  settings: HttpSettings;
}

function retryInMs(error: unknown, { failures, repeatable, settings }: Circumstances): number | undefined {
  const jitteredMs = retryWaitMs(failures, 5_000);
  if (error instanceof ConnectionError) {
    if (error.kind === 'unreachable') return settings.retryUnreachable ? jitteredMs : undefined;
    return error.kind === 'broken' && repeatable ? jitteredMs : undefined;
  }
  if (!(error instanceof ApiError) || !isRetryable(error, repeatable)) return undefined;
  const retryAfterMs = error.retryAfterMs ?? 0;
  return retryAfterMs > settings.retryAfterMaxMs ? undefined : retryAfterMs + jitteredMs;
}

/**
 * 409 with `Retry-After`: the first request under the same idempotency key still runs. A 503 may come from a
 * COMMIT of which nobody knows how it ended, 502 and 504 from a balancer that lost the server.
 */
function isRetryable({ problem, retryAfterMs }: ApiError, repeatable: boolean): boolean {
  if (problem.status === 429) return true;
  const mayHaveBeenDone = [502, 503, 504].includes(problem.status);
  return repeatable && (mayHaveBeenDone || (problem.status === 409 && retryAfterMs !== undefined));
}
