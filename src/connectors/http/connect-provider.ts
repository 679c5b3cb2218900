import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { AddressNotAllowedError, isPublicAddress, literalAddress, lookupPublic } from './egress.ts';

export interface ConnectSettings {
  allowPrivate: boolean;
  connectTimeoutMs: number;
  /** Finds the addresses of names; by default only public ones. */
  lookup?: LookupFunction;
}

/**
 * Opens the connections of one sender; they share TLS sessions. No proxy of the environment is used: it would
 * connect to whatever it is told.
 */
export function connectProvider(settings: ConnectSettings): buildConnector.connector {
  const { allowPrivate, connectTimeoutMs, lookup = lookupPublic } = settings;
  if (allowPrivate) return buildConnector({ timeout: connectTimeoutMs });
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup });
  return (options, callback) => {
    // A literal address never reaches the lookup.
    const literal = literalAddress(options.hostname);
    if (literal !== undefined && !isPublicAddress(literal)) {
      process.nextTick(callback, new AddressNotAllowedError(), null);
      return;
    }
    connect(options, (...result) => {
      const [error, socket] = result;
      // What counts is where the connection went, whatever a resolver or the system made of the name.
      if (error !== null || isPublicAddress(socket.remoteAddress ?? '')) return callback(...result);
      socket.destroy();
      callback(new AddressNotAllowedError(), null);
    });
  };
}
