import { buildConnector } from 'undici';
import { AddressNotAllowedError, isPublicAddress, literalAddress, lookupPublic } from './egress.ts';

export interface ConnectSettings {
  allowPrivate: boolean;
  connectTimeoutMs: number;
}

/** Opens the connections of one sender; they share TLS sessions. */
export function connectProvider({
  allowPrivate,
  connectTimeoutMs,
}: ConnectSettings): buildConnector.connector {
  if (allowPrivate) return buildConnector({ timeout: connectTimeoutMs });
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup: lookupPublic });
  return (options, callback) => {
    // A literal address never reaches the lookup.
    const literal = literalAddress(options.hostname);
    if (literal === undefined || isPublicAddress(literal)) return connect(options, callback);
    process.nextTick(callback, new AddressNotAllowedError(), null);
  };
}
