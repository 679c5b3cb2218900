import { type SigningKey, signingKey } from '../../lib/standard-webhooks.ts';
import type { Endpoint, Endpoints, OutgoingMessage } from '../connector.ts';
import { UnsendableError } from '../send-errors.ts';

/** Keys that are kept of secrets before: a few for each endpoint that is called. */
const keysKept = 1_000;

/** What a message to a registered endpoint needs to know of it; undefined for one to a URL of its own. */
export type EndpointFor = (
  message: OutgoingMessage,
) => { url: string; keys: readonly SigningKey[] } | undefined;

/** Finds endpoints anew for each request: their owners change URLs and secrets while messages wait. */
export function webhookEndpoints(endpoints: Endpoints | undefined): EndpointFor {
  const known = new Map<string, SigningKey>();
  const keyOf = (secret: string): SigningKey => {
    const found = known.get(secret);
    if (found !== undefined) return found;
    const key = signingKey(secret);
    if (key === undefined) throw new UnsendableError('request_invalid', 'the secret of the webhook is none');
    if (known.size >= keysKept) known.clear();
    known.set(secret, key);
    return key;
  };
  return ({ accountId, fields: { to } }) => {
    if (isUrl(to)) return undefined;
    const endpoint: Endpoint | undefined = endpoints?.of(accountId, to);
    if (endpoint === undefined) throw new UnsendableError('unknown_endpoint', to);
    if (endpoint.disabled) throw new UnsendableError('endpoint_disabled', to);
    return { url: endpoint.url, keys: endpoint.secrets.map(keyOf) };
  };
}

/** Names of endpoints have no such thing in them. */
export function isUrl(to: string): boolean {
  return to.includes('://');
}
