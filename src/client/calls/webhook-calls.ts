import type { Http } from '../http.ts';
import type { NewWebhookEndpoint, WebhookEndpoint } from '../resources/webhook.ts';
import type { CallOptions, ListOptions } from './options.ts';

export type WebhookCalls = ReturnType<typeof webhookCalls>;

export function webhookCalls(http: Http) {
  const at = (id: string) => `/v1/webhooks/${encodeURIComponent(id)}`;
  return {
    all: ({ signal, ...query }: ListOptions = {}) =>
      http.items<WebhookEndpoint>({ path: '/v1/webhooks', query, signal }),
    get: (id: string, signal?: AbortSignal): Promise<WebhookEndpoint> => http.value({ path: at(id), signal }),
    /** The answer has the `secret`, this once. */
    create: (webhook: NewWebhookEndpoint, options: CallOptions = {}): Promise<WebhookEndpoint> =>
      http.value({ method: 'POST', path: '/v1/webhooks', body: webhook, ...options }),
    /** What is left out stays as it is; `events` and `filter` are replaced as a whole. */
    change: (
      id: string,
      changes: Partial<NewWebhookEndpoint> & { enabled?: boolean },
      options: CallOptions = {},
    ): Promise<WebhookEndpoint> => http.value({ method: 'PATCH', path: at(id), body: changes, ...options }),
    /** A new secret; requests are signed with the old one as well for `overlapMs`, a day by default. */
    rotate: (
      id: string,
      { overlapMs, ...options }: CallOptions & { overlapMs?: number } = {},
    ): Promise<WebhookEndpoint> =>
      http.value({
        method: 'POST',
        path: `${at(id)}/rotate`,
        ...(overlapMs === undefined ? {} : { body: { overlapMs } }),
        ...options,
      }),
    /** It is told of nothing more, and what waits for it fails. */
    delete: (id: string, options: CallOptions = {}): Promise<void> =>
      http.value({ method: 'DELETE', path: at(id), ...options }),
  };
}
