import { pipeline } from 'node:stream/promises';
import { checkCsv } from './check-csv.ts';
import { asConnectionError } from './exchange.ts';
import { type ExportOptions, type ExportResult, exportBatch } from './export-batch.ts';
import { type Call, createHttp, type Http, type Page, type Reply } from './http.ts';
import type {
  Account,
  AccountUsage,
  AppendAnswer,
  Batch,
  Credit,
  Erasure,
  Key,
  Lane,
  LineError,
  Message,
  NewBatch,
  NewCredit,
  NewMessage,
  Route,
  RouteTest,
  SendAnswer,
} from './resources.ts';
import { type UploadOptions, upload } from './upload.ts';

export { ApiError, ConnectionError, type Problem, SourceError } from './client-error.ts';
export { type FileSource, fileSource } from './file-source.ts';
export type { Page } from './http.ts';
export type { LineSource } from './line-source.ts';
export { type StageConnection, type StagedMessage, type StageOptions, stage } from './outbox.ts';
export type * from './resources.ts';

export interface ClientOptions {
  /** Where the server listens: `http://127.0.0.1:8080`. */
  url: string;
  /** The API key. */
  key?: string | undefined;
  /** Id of the account whose messages and batches are meant: another than the key's own needs the scope `admin`. */
  account?: string | undefined;
  /** Tries of one call; 429, 503 and broken connections are tried again. Default 5. */
  attemptsMax?: number;
  /** Whether a server that refuses connections is tried again too. Default true. */
  retryUnreachable?: boolean;
  /** The longest `Retry-After` that is waited for. Default 60,000 ms. */
  retryAfterMaxMs?: number;
  /** Connections kept open at once. Default 16. */
  connectionsMax?: number;
  /** Silence on a connection after which it counts as broken. Default 120,000 ms. */
  silenceMs?: number;
  userAgent?: string;
  /** Ends every call that brings no signal of its own. */
  signal?: AbortSignal;
}

export interface CallOptions {
  /** One is made up when absent; `false` sends none, and gives up what it would have made safe to repeat. */
  idempotencyKey?: string | false;
  signal?: AbortSignal | undefined;
}

export interface ListOptions {
  limit?: number;
  after?: string;
  signal?: AbortSignal | undefined;
}

export interface MessageQuery extends ListOptions {
  to?: string;
  ref?: string;
  /** Of messages without a batch: uncertain, failed, expired, canceled, suppressed. */
  state?: string;
  since?: string;
  until?: string;
}

type Members = Record<string, unknown>;

/** A client of Millrace's HTTP API without dependencies. Rejects with ApiError or ConnectionError. */
export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const http = createHttp({
    url: options.url,
    key: options.key,
    account: options.account,
    attemptsMax: options.attemptsMax ?? 5,
    retryUnreachable: options.retryUnreachable ?? true,
    retryAfterMaxMs: options.retryAfterMaxMs ?? 60_000,
    connectionsMax: options.connectionsMax ?? 16,
    silenceMs: options.silenceMs ?? 120_000,
    userAgent: options.userAgent ?? 'millrace-client',
    signal: options.signal,
  });
  return {
    batches: batchCalls(http),
    messages: messageCalls(http),
    recipients: recipientCalls(http),
    routes: routeCalls(http),
    accounts: accountCalls(http),
    keys: keyCalls(http),
    /** What waits and how it flows, of the whole installation or of the key's account. */
    lanes: ({ signal, ...query }: ListOptions & { route?: string } = {}) =>
      http.items<Lane>({ path: '/v1/lanes', query, signal }),
    /** Any call of the API, for what has no method here. */
    call: <T>(call: Call): Promise<Reply<T>> => http.call<T>(call),
    /** Drops idle connections. */
    close: () => http.close(),
  };
}

function batchCalls(http: Http) {
  const at = (id: string) => `/v1/batches/${encodeURIComponent(id)}`;
  return {
    create: (batch: NewBatch, options: CallOptions = {}): Promise<Reply<Batch>> =>
      http.call({ method: 'POST', path: '/v1/batches', body: batch, ...options }),
    get: (id: string, signal?: AbortSignal): Promise<Batch> => http.value({ path: at(id), signal }),
    page: ({ signal, ...query }: ListOptions = {}): Promise<Page<Batch>> =>
      http.value({ path: '/v1/batches', query, signal }),
    all: ({ signal, ...query }: ListOptions = {}) =>
      http.items<Batch>({ path: '/v1/batches', query, signal }),
    messages: (id: string, { signal, ...query }: ListOptions & { state?: string } = {}) =>
      http.items<Message>({ path: `${at(id)}/messages`, query, signal }),
    close: (id: string, options: CallOptions = {}): Promise<Batch> =>
      http.value({ method: 'POST', path: `${at(id)}/close`, ...options }),
    /** pause, resume, cancel, replay or resolve, with the body that it takes. */
    act: (id: string, action: string, body?: Members): Promise<Batch> =>
      http.value({ method: 'POST', path: `${at(id)}/${action}`, ...(body === undefined ? {} : { body }) }),
    /** Sends lines and goes on where a broken connection left off. */
    upload: (options: UploadOptions): Promise<AppendAnswer> => upload(http, options),
    /** Every rejected line, in order. */
    rejections: (id: string, signal?: AbortSignal) => rejections(http, `${at(id)}/rejections`, signal),
    /** NDJSON, checked against its trailer; a cut stream is taken up again. */
    export: (options: ExportOptions): Promise<ExportResult> => exportBatch(http, options),
    /** CSV, checked against the trailer that is its last line: a stream that was cut, or ends in an error, is one. */
    async exportCsv({
      id,
      after,
      to,
      signal,
    }: {
      id: string;
      after?: string;
      to: NodeJS.WritableStream;
      signal?: AbortSignal;
    }): Promise<Pick<ExportResult, 'count'>> {
      const answer = await http.stream({
        method: 'GET',
        path: `${at(id)}/export`,
        query: { format: 'csv', after },
        signal,
      });
      try {
        let count = 0;
        const onWhole = (messages: number) => {
          count = messages;
        };
        await pipeline(answer.body, (bytes) => checkCsv(bytes, onWhole), to, { end: false });
        return { count };
      } catch (error) {
        throw answer.body.complete ? error : asConnectionError(error, { connected: true, signal });
      }
    },
  };
}

async function* rejections(
  http: Http,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<LineError> {
  const answer = await http.stream({
    method: 'GET',
    path,
    headers: { accept: 'application/x-ndjson' },
    signal,
  });
  let held = '';
  answer.body.setEncoding('utf8');
  try {
    for await (const part of answer.body as AsyncIterable<string>) {
      const lines = (held + part).split('\n');
      held = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line) as LineError;
    }
  } catch (error) {
    throw asConnectionError(error, { connected: true, signal });
  }
  if (held.trim() !== '') yield JSON.parse(held) as LineError;
}

function messageCalls(http: Http) {
  const at = (id: string) => `/v1/messages/${encodeURIComponent(id)}`;
  return {
    /** One message or up to 1,000. */
    send: (messages: NewMessage | NewMessage[], options: CallOptions = {}): Promise<SendAnswer> =>
      http.value({ method: 'POST', path: '/v1/messages', body: messages, ...options }),
    get: (id: string, signal?: AbortSignal): Promise<Message> => http.value({ path: at(id), signal }),
    find: ({ signal, ...query }: MessageQuery): Promise<Page<Message>> =>
      http.value({ path: '/v1/messages', query, signal }),
    /** cancel, replay or resolve, with the body that it takes. */
    act: (id: string, action: string, body?: Members): Promise<Message> =>
      http.value({ method: 'POST', path: `${at(id)}/${action}`, ...(body === undefined ? {} : { body }) }),
  };
}

function recipientCalls(http: Http) {
  return {
    /** Erases what is kept of one person; to be called again until it is `complete`. */
    erase: (recipient: { to: string; accountId?: string }): Promise<Erasure> =>
      http.value({ method: 'POST', path: '/v1/recipients/erase', body: recipient }),
  };
}

function routeCalls(http: Http) {
  const at = (name: string) => `/v1/routes/${encodeURIComponent(name)}`;
  return {
    all: ({ signal, ...query }: ListOptions = {}) => http.items<Route>({ path: '/v1/routes', query, signal }),
    get: (name: string): Promise<Route> => http.value({ path: at(name) }),
    set: (name: string, route: Members): Promise<Route> =>
      http.value({ method: 'PUT', path: at(name), body: route }),
    delete: (name: string): Promise<void> => http.value({ method: 'DELETE', path: at(name) }),
    pause: (name: string): Promise<Route> => http.value({ method: 'POST', path: `${at(name)}/pause` }),
    resume: (name: string): Promise<Route> => http.value({ method: 'POST', path: `${at(name)}/resume` }),
    /** Its provider is to be told the new `receiptsUrl`. */
    rotateReceiptsUrl: (name: string): Promise<Route> =>
      http.value({ method: 'POST', path: `${at(name)}/rotate-receipts-url` }),
    /** Sends one message to `message.to` at once, which no account has, and tells what the provider said. */
    test: (name: string, message: Members): Promise<RouteTest> =>
      http.value({ method: 'POST', path: `${at(name)}/test`, body: message }),
  };
}

function accountCalls(http: Http) {
  const at = (id: string) => `/v1/accounts/${encodeURIComponent(id)}`;
  return {
    all: ({ signal, ...query }: ListOptions = {}) =>
      http.items<Account>({ path: '/v1/accounts', query, signal }),
    get: (id: string): Promise<Account> => http.value({ path: at(id) }),
    create: (account: Members, options: CallOptions = {}): Promise<Account> =>
      http.value({ method: 'POST', path: '/v1/accounts', body: account, ...options }),
    set: (id: string, change: Members): Promise<Account> =>
      http.value({ method: 'PATCH', path: at(id), body: change }),
    delete: (id: string): Promise<void> => http.value({ method: 'DELETE', path: at(id) }),
    usage: (id: string): Promise<AccountUsage> => http.value({ path: `${at(id)}/usage` }),
    /** Once, however often it has to be asked for. */
    credit: (id: string, credit: NewCredit, options: CallOptions = {}): Promise<Credit> =>
      http.value({ method: 'POST', path: `${at(id)}/credit`, body: credit, ...options }),
  };
}

function keyCalls(http: Http) {
  const at = (id: string) => `/v1/keys/${encodeURIComponent(id)}`;
  return {
    all: ({ signal, ...query }: ListOptions & { accountId?: string } = {}) =>
      http.items<Key>({ path: '/v1/keys', query, signal }),
    create: (key: Members, options: CallOptions = {}): Promise<Key> =>
      http.value({ method: 'POST', path: '/v1/keys', body: key, ...options }),
    rotate: (id: string): Promise<Key> => http.value({ method: 'POST', path: `${at(id)}/rotate` }),
    revoke: (id: string): Promise<void> => http.value({ method: 'DELETE', path: at(id) }),
  };
}
