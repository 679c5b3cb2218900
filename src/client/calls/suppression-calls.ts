import type { Http } from '../http.ts';
import type { AddedSuppressions, NewSuppression, Suppression } from '../resources/suppression.ts';
import type { CallOptions, ListOptions } from './options.ts';

export type SuppressionCalls = ReturnType<typeof suppressionCalls>;

export function suppressionCalls(http: Http) {
  const at = (id: string) => `/v1/suppressions/${encodeURIComponent(id)}`;
  return {
    /** In the order in which they were added. */
    all: ({
      signal,
      ...query
    }: ListOptions & { channel?: Suppression['channel'] | undefined; to?: string | undefined } = {}) =>
      http.items<Suppression>({ path: '/v1/suppressions', query, signal }),
    get: (id: string, signal?: AbortSignal): Promise<Suppression> => http.value({ path: at(id), signal }),
    /** Up to 1,000 at once. Who is suppressed already stays as it was. */
    add: (
      entries: NewSuppression | readonly NewSuppression[],
      options: CallOptions = {},
    ): Promise<AddedSuppressions> =>
      http.value({ method: 'POST', path: '/v1/suppressions', body: entries, ...options }),
    /** What is left out stays as it is. */
    change: (
      id: string,
      changes: { reason?: string | null; ref?: string | null },
      options: CallOptions = {},
    ): Promise<Suppression> => http.value({ method: 'PATCH', path: at(id), body: changes, ...options }),
    /** The recipient gets messages again. */
    remove: (id: string, options: CallOptions = {}): Promise<void> =>
      http.value({ method: 'DELETE', path: at(id), ...options }),
  };
}
