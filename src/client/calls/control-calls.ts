import type { Http } from '../http.ts';
import type { Account, AccountUsage, Credit, NewAccount, NewCredit } from '../resources/account.ts';
import type { Key, NewKey } from '../resources/key.ts';
import type { NewRoute, Route, RouteTest, TestMessage } from '../resources/route.ts';
import type { CallOptions, ListOptions } from './options.ts';

export type RouteCalls = ReturnType<typeof routeCalls>;

export function routeCalls(http: Http) {
  const at = (name: string) => `/v1/routes/${encodeURIComponent(name)}`;
  return {
    all: ({ signal, ...query }: ListOptions = {}) => http.items<Route>({ path: '/v1/routes', query, signal }),
    get: (name: string, signal?: AbortSignal): Promise<Route> => http.value({ path: at(name), signal }),
    /** Makes a route, or replaces it as a whole. */
    set: (name: string, route: NewRoute, options: CallOptions = {}): Promise<Route> =>
      http.value({ method: 'PUT', path: at(name), body: route, ...options }),
    delete: (name: string, options: CallOptions = {}): Promise<void> =>
      http.value({ method: 'DELETE', path: at(name), ...options }),
    /** Nothing is sent through it until it is resumed: what comes for it waits. */
    pause: (name: string, options: CallOptions = {}): Promise<Route> =>
      http.value({ method: 'POST', path: `${at(name)}/pause`, ...options }),
    resume: (name: string, options: CallOptions = {}): Promise<Route> =>
      http.value({ method: 'POST', path: `${at(name)}/resume`, ...options }),
    /** Its provider is to be told the new `receiptsUrl`. */
    rotateReceiptsUrl: (name: string, options: CallOptions = {}): Promise<Route> =>
      http.value({ method: 'POST', path: `${at(name)}/rotate-receipts-url`, ...options }),
    /** Sends one message to `message.to` at once, which no account has, and tells what the provider said. */
    test: (name: string, message: TestMessage, options: CallOptions = {}): Promise<RouteTest> =>
      http.value({ method: 'POST', path: `${at(name)}/test`, body: message, ...options }),
  };
}

export type AccountCalls = ReturnType<typeof accountCalls>;

export function accountCalls(http: Http) {
  const at = (id: string) => `/v1/accounts/${encodeURIComponent(id)}`;
  return {
    all: ({ signal, ...query }: ListOptions = {}) =>
      http.items<Account>({ path: '/v1/accounts', query, signal }),
    get: (id: string, signal?: AbortSignal): Promise<Account> => http.value({ path: at(id), signal }),
    create: (account: NewAccount, options: CallOptions = {}): Promise<Account> =>
      http.value({ method: 'POST', path: '/v1/accounts', body: account, ...options }),
    /** What is left out stays as it is; `defaultRoutes` and `limits` are replaced as a whole. */
    set: (id: string, change: Partial<NewAccount>, options: CallOptions = {}): Promise<Account> =>
      http.value({ method: 'PATCH', path: at(id), body: change, ...options }),
    delete: (id: string, options: CallOptions = {}): Promise<void> =>
      http.value({ method: 'DELETE', path: at(id), ...options }),
    /** What it has used today, and what is left. */
    usage: (id: string, signal?: AbortSignal): Promise<AccountUsage> =>
      http.value({ path: `${at(id)}/usage`, signal }),
    /** Adds to the balance of a prepaid account, once, however often it has to be asked for. */
    credit: (id: string, credit: NewCredit, options: CallOptions = {}): Promise<Credit> =>
      http.value({ method: 'POST', path: `${at(id)}/credit`, body: credit, ...options }),
  };
}

export type KeyCalls = ReturnType<typeof keyCalls>;

export function keyCalls(http: Http) {
  const at = (id: string) => `/v1/keys/${encodeURIComponent(id)}`;
  return {
    all: ({ signal, ...query }: ListOptions & { accountId?: string } = {}) =>
      http.items<Key>({ path: '/v1/keys', query, signal }),
    get: (id: string, signal?: AbortSignal): Promise<Key> => http.value({ path: at(id), signal }),
    /** The answer has the `key` itself, this once. */
    create: (key: NewKey, options: CallOptions = {}): Promise<Key> =>
      http.value({ method: 'POST', path: '/v1/keys', body: key, ...options }),
    /** A key in the place of the old one, which works for `overlapMs` more: not at all by default. */
    rotate: (
      id: string,
      { overlapMs, ...options }: CallOptions & { overlapMs?: number } = {},
    ): Promise<Key> =>
      http.value({
        method: 'POST',
        path: `${at(id)}/rotate`,
        ...(overlapMs === undefined ? {} : { body: { overlapMs } }),
        ...options,
      }),
    /** It ends to work at once. */
    revoke: (id: string, options: CallOptions = {}): Promise<void> =>
      http.value({ method: 'DELETE', path: at(id), ...options }),
  };
}
