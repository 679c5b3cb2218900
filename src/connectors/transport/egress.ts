import type { LookupAddress, LookupAllOptions } from 'node:dns';
import { lookup as lookupName } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from '../../lib/public-address.ts';

/**
 * Which addresses outbound requests may reach. A route's URL, or the DNS server behind its name, must not
 * turn this process into a way into the network it runs in (SSRF); so the decision falls on the address
 * that is connected to, at the moment of connecting.
 */
export class AddressNotAllowedError extends Error {
  readonly code = 'ERR_ADDRESS_NOT_ALLOWED';

  constructor() {
    super('address not allowed');
    this.name = 'AddressNotAllowedError';
  }
}

type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * A lookup for `net.connect` that leaves out the addresses that are not public. What it gives is what is connected to:
 * a name that resolves otherwise a moment later (DNS rebinding) gains nothing.
 */
export function publicLookup(resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const allowed = addresses.filter((entry) => isPublicAddress(entry.address));
      const first = allowed[0];
      if (first === undefined) return callback(new AddressNotAllowedError(), '', 0);
      // net.connect asks for all addresses when it may try both families, else for one.
      if (options.all) (callback as unknown as LookupAllCallback)(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

export const lookupPublic: LookupFunction = publicLookup(lookupName);

type LookupAllCallback = (error: null, addresses: LookupAddress[]) => void;
