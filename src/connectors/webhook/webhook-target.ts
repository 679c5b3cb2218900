import { isPublicAddress, literalAddress } from '../transport/egress.ts';
import type { Target } from '../transport/http-sender.ts';

/** @throws Error that users read, for a URL to which nothing can be posted */
export function webhookTarget(to: string, allowPrivate: boolean): Target {
  if (!/^https?:\/\//i.test(to) || !URL.canParse(to)) throw new Error('"to" is no http or https URL');
  const { username, password, hostname, origin, pathname, search } = new URL(to);
  if (username !== '' || password !== '') {
    throw new Error('"to" has a user or password, which belong in a header');
  }
  // Names are judged when their address is known, at the moment of connecting.
  const literal = literalAddress(hostname);
  if (!allowPrivate && literal !== undefined && !isPublicAddress(literal)) {
    throw new Error('"to" is a private or reserved address, which the route does not allow');
  }
  return { origin, path: pathname + search };
}
