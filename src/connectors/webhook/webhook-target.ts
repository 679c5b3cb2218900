import { isPublicAddress, literalAddress } from '../../lib/public-address.ts';
import { statusReportUrl } from '../../message/status-report.ts';
import type { OutgoingMessage } from '../connector.ts';
import type { Target } from '../transport/http-sender.ts';
import type { EndpointFor } from './webhook-endpoints.ts';

/** Targets that are kept of messages before: an endpoint gets many, and reading a URL costs as much as signing. */
const targetsKept = 1_000;

/** Where a message goes. It throws, for its reason to be read by users, for a URL to which nothing can be posted. */
export function webhookTargets(
  allowPrivate: boolean,
  endpointFor: EndpointFor,
): (messages: readonly OutgoingMessage[]) => Target {
  const known = new Map<string, Target>();
  return ([message]) => {
    const { report, to: reportUrl } = message!.fields;
    // Each has another query, so none is worth keeping.
    if (report !== undefined) return targetOf(statusReportUrl(reportUrl, report), allowPrivate);
    const to = endpointFor(message!)?.url ?? message!.fields.to;
    const found = known.get(to);
    if (found !== undefined) return found;
    const target = targetOf(to, allowPrivate);
    if (known.size >= targetsKept) known.clear();
    known.set(to, target);
    return target;
  };
}

function targetOf(to: string, allowPrivate: boolean): Target {
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
