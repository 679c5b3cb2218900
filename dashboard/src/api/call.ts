import { asProblem, Problem, problemOf } from './problem.ts';
import { actsFor, apiKey, signOut } from './session.ts';

export interface CallOptions {
  /** JSON, unless it is a Blob or a text. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Asked as the administrator, whichever account is looked at. */
  asSelf?: true;
  /** Asked of this account, whichever is looked at by now; `null` for the key's own. */
  account?: string | null;
}

/** For so long reads ask to see what was written last, also of a replica. */
const ownWritesMs = 10_000;
let written: { token: string; atMs: number } | undefined;

/** The answer's JSON. @throws Problem */
export async function call<Answer>(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const response = await request(method, path, options);
  const text = await response.text().catch((error: unknown) => {
    throw asProblem(error, { isRead: method === 'GET' });
  });
  return (text === '' ? undefined : JSON.parse(text)) as Answer;
}

/** The answer, whose body is still to be read. @throws Problem for what is not 2xx */
export async function request(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const { body, headers = {}, signal, asSelf, account = asSelf ? null : actsFor.value } = options;
  const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof Blob);
  const response = await fetch(urlOf(path), {
    method,
    headers: {
      authorization: `Bearer ${apiKey.value ?? ''}`,
      ...(account !== null && { 'millrace-account': account }),
      ...(isJson && { 'content-type': 'application/json' }),
      ...(method === 'GET' && tokenNow()),
      ...headers,
    },
    ...(body !== undefined && { body: isJson ? JSON.stringify(body) : (body as BodyInit) }),
    ...(signal && { signal }),
    cache: 'no-store',
    credentials: 'omit',
  }).catch((error: unknown) => {
    throw asProblem(error, { isRead: method === 'GET' });
  });
  if (method !== 'GET') noteWrite(response);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401)
    signOut('The server does not know this key any more: it was revoked or has expired.');
  throw problem;
}

/** The page may be served under a path of its own; where it is itself is behind the `#`. */
export function urlOf(path: string): URL {
  return new URL(path.replace(/^\//, ''), document.baseURI.replace(/#.*$/, ''));
}

/** Whether a key is good, before it is kept. */
export async function tryKey(key: string): Promise<unknown> {
  const response = await fetch(urlOf('v1/caller'), {
    headers: { authorization: `Bearer ${key}` },
    cache: 'no-store',
    credentials: 'omit',
  }).catch((error: unknown) => {
    throw asProblem(error, { isRead: true });
  });
  if (response.status === 404) {
    throw new Problem({ status: 404, code: 'not_found', detail: 'This server has no API to sign in to.' });
  }
  if (!response.ok) throw await problemOf(response);
  return await response.json();
}

function noteWrite(response: Response): void {
  const token = response.headers.get('millrace-consistency');
  if (token !== null) written = { token, atMs: performance.now() };
}

function tokenNow(): Record<string, string> {
  if (written === undefined || performance.now() - written.atMs > ownWritesMs) return {};
  return { 'millrace-consistency': written.token };
}
