import type { Http } from '../http.ts';
import type { SigningKey } from '../resources/signing-key.ts';
import type { CallOptions } from './options.ts';

const path = '/v1/signing-key';

export type SigningKeyCalls = ReturnType<typeof signingKeyCalls>;

export function signingKeyCalls(http: Http) {
  return {
    get: (signal?: AbortSignal): Promise<SigningKey> => http.value({ path, signal }),
    /** Sets what status reports are signed with; without `key` a new one is made. */
    put: ({ key, ...options }: CallOptions & { key?: string } = {}): Promise<SigningKey> =>
      http.value({ method: 'PUT', path, body: key === undefined ? {} : { key }, ...options }),
  };
}
