/** Ids that calls were answered with, so that requests come past the first look-up. */
export interface KnownIds {
  accounts: string[];
  keys: string[];
  routes: string[];
  batches: string[];
  messages: string[];
  templates: string[];
  webhooks: string[];
  suppressions: string[];
  /** What routes are told by. */
  receipts: string[];
}

type Body = (ids: KnownIds) => unknown;

/** A batch is scheduled within what is kept: a date that is written here would be refused for the most of its life. */
const hourMs = 3_600_000;
const message = { to: '+31612345678', body: 'x', route: 'known', ref: 'r', tags: ['t'], metadata: { a: 1 } };
const batch = {
  route: 'known',
  from: 'Millrace',
  body: 'x',
  tags: ['t'],
  metadata: { a: 1 },
  priority: 'bulk',
};
const route = {
  connector: 'http',
  url: 'http://127.0.0.1:9/',
  headers: { a: 'b' },
  batch: { max: 10 },
  timeoutMs: 1_000,
  allowPrivate: true,
  ratePerSecond: 5,
  concurrency: 2,
  retry: { attemptsMax: 2, backoffMinMs: 1_000 },
  breaker: { windowMs: 1_000 },
  onUncertain: 'hold',
  accounts: ['1'],
};

/** A body that each call takes as it is, by method and path; the deeper layers see what one wrong value does to them. */
export const goodBodies: Readonly<Record<string, Body>> = {
  'POST /v1/accounts': () => ({
    ...{ name: 'Fuzz', weight: 2, defaultRoutes: { sms: 'known' } },
    prepaid: { currency: 'EUR', messageMicros: 1 },
  }),
  'PATCH /v1/accounts/{id}': () => ({ name: 'Fuzz', weight: 3, limits: { requestsPerSecond: 1_000 } }),
  'POST /v1/accounts/{id}/credit': () => ({ amountMicros: 5_000_000, currency: 'EUR', reason: 'fuzz' }),
  'POST /v1/keys': ({ accounts }) => ({
    accountId: accounts[0] ?? '1',
    scopes: ['read'],
    expiresAt: '2100-01-01T00:00:00Z',
  }),
  'POST /v1/keys/{id}/rotate': () => ({ overlapMs: 1_000 }),
  'PUT /v1/routes/{name}': () => route,
  'POST /v1/routes/{name}/test': () => ({ to: '+31612345678', body: 'x' }),
  'POST /v1/batches': () => ({
    ...batch,
    scheduledAt: new Date(Date.now() + hourMs).toISOString(),
    sendWindow: { days: ['mon', 'tue'], from: '22:00', to: '06:00', timeZone: 'Europe/Amsterdam' },
  }),
  'POST /v1/batches/{id}/messages': () => [message, { to: '+31612345679', body: 'y' }],
  'POST /v1/batches/{id}/replay': () => ({ states: ['failed', 'canceled'], errorCode: 'x' }),
  'POST /v1/batches/{id}/resolve': () => ({ as: 'failed' }),
  'POST /v1/messages/{id}/resolve': () => ({ as: 'sent' }),
  'POST /v1/messages': () => [message, { ...message, expiresAt: '2100-01-01T00:00:00Z' }],
  'POST /v1/receipts/{token}': ({ messages }) => [
    { id: messages.at(-1) ?? 'x', status: 'delivered', at: '2026-01-01T00:00:00Z' },
    { providerRef: 'x', status: 'failed', error: { code: 'x', detail: 'y' } },
  ],
  'POST /v1/templates': () => ({
    name: `t-${Math.random()}`.slice(0, 20),
    channel: 'sms',
    body: 'Hello {{ name }}',
  }),
  'PATCH /v1/templates/{id}': () => ({ body: `Good day {{ name }} ${Math.random()}` }),
  'POST /v1/templates/{id}/preview': () => ({ params: { name: 'x' } }),
  'POST /v1/webhooks': () => ({
    name: `w-${Math.random()}`.slice(0, 20),
    url: 'https://192.0.2.1/',
    filter: { tags: ['t'] },
  }),
  'PATCH /v1/webhooks/{id}': () => ({ batchMax: 10, enabled: true }),
  'POST /v1/webhooks/{id}/rotate': () => ({ overlapMs: 1_000 }),
  'PUT /v1/signing-key': () => ({ key: 'fuzz-fuzz-fuzz-fuzz' }),
  'POST /v1/suppressions': () => [
    { to: '+31612345677', channel: 'sms', reason: 'x', ref: 'r' },
    { to: 'a@example.com', channel: 'email' },
  ],
  'PATCH /v1/suppressions/{id}': () => ({ reason: 'y', ref: null }),
  'POST /v1/recipients/erase': () => ({ to: '+31612345670' }),
};

/** What a call does not do without. */
export const goodQueries: Readonly<Record<string, string>> = {
  'GET /v1/messages': '?ref=r',
  'GET /v1/receipts/{token}': '?id=x&status=delivered',
};

/** Keeps what the answer to a call that made something names. The administrator's own key is in no such answer. */
export function rememberIds(ids: KnownIds, call: { method: string; path: string; text: string }): void {
  if (call.method !== 'POST' && call.method !== 'PUT') return;
  let answer: {
    id?: unknown;
    messages?: { id?: unknown }[];
    suppressions?: { id?: unknown }[];
    receiptsUrl?: unknown;
  };
  try {
    answer = JSON.parse(call.text);
  } catch {
    return;
  }
  const [path] = call.path.split('?');
  if (typeof answer.receiptsUrl === 'string') keep(ids.receipts, answer.receiptsUrl.split('/').at(-1));
  if (path === '/v1/accounts') keep(ids.accounts, answer.id);
  else if (path === '/v1/keys') keep(ids.keys, answer.id);
  else if (path === '/v1/templates') keep(ids.templates, answer.id);
  else if (path === '/v1/webhooks') keep(ids.webhooks, answer.id);
  else if (path === '/v1/suppressions')
    for (const made of answer.suppressions ?? []) keep(ids.suppressions, made.id);
  else if (path === '/v1/batches') keep(ids.batches, answer.id);
  else if (path === '/v1/messages') for (const made of answer.messages ?? []) keep(ids.messages, made.id);
}

const idsMax = 100;

function keep(ids: string[], id: unknown): void {
  if (typeof id !== 'string') return;
  ids.push(id);
  if (ids.length > idsMax) ids.shift();
}
