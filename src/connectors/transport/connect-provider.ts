import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { isPublicAddress, literalAddress } from '../../lib/public-address.ts';
import { AddressNotAllowedError, lookupPublic } from './egress.ts';

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
  if (allowPrivate) return namingMismatch(buildConnector({ timeout: connectTimeoutMs }));
  const connect = namingMismatch(buildConnector({ timeout: connectTimeoutMs, lookup }));
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

/** The certificate is of another host. By OpenSSL's name for it. */
class CertificateNameError extends Error {
  readonly code = 'HOSTNAME_MISMATCH';
}

/**
 * undici treats Node's code for a certificate of another name apart, and counts the request that failed with it as running
 * for ever (client.js, handleConnectError): nothing would leave on that connection any more, also when the certificate is right again.
 */
function namingMismatch(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...result) => {
      const [error] = result;
      const isMismatch = (error as NodeJS.ErrnoException | null)?.code === 'ERR_TLS_CERT_ALTNAME_INVALID';
      if (isMismatch) callback(new CertificateNameError(error!.message), null);
      else callback(...result);
    });
}
