import { hash64 } from '../lib/hash.ts';

/**
 * The hash under which a message is found by its provider's own id. It depends on the route, so that equal ids of two
 * providers are two. Stored rows hold it: it must never change.
 */
export function providerRefHash(routeId: number, ref: string): bigint {
  const bytes = Buffer.from(ref);
  return hash64(bytes, { start: 0, end: bytes.length, seed: routeId });
}
