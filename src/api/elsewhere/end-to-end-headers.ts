import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** The name in `Via` of every Millrace server: a request is forwarded once, whichever of them did it. */
const pseudonym = 'millrace';

/** RFC 9110, 7.6.1: they are of one connection. The expectation is met by whoever is asked, and trailers are not kept. */
const hopByHop = [
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
];

/**
 * A sender must not name these in `Connection` (RFC 9110, 7.6.1: "intended for all recipients"). Who did would be admitted
 * here by what the far end never sees: another account's write, or failures that count against this server.
 */
const neverOfOneConnection = new Set([
  ...['authorization', 'cache-control', 'content-encoding', 'content-length', 'content-type'],
  ...['idempotency-key', 'upload-line', 'millrace-account', 'millrace-consistency'],
  ...['fly-replay-src', 'fly-replay-failed'],
]);

/** The headers of a request or an answer that are for its other end, each with all its values. */
export function endToEndHeaders({
  headers,
  headersDistinct,
}: Pick<IncomingMessage, 'headers' | 'headersDistinct'>): [string, string[]][] {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...hopByHop, ...named.filter((name) => !neverOfOneConnection.has(name))]);
  return Object.entries(headersDistinct).flatMap(([name, values]) =>
    dropped.has(name) || values === undefined ? [] : [[name, values]],
  );
}

/** What a request is forwarded with: to another host, with the framing of its body made anew, and told by `Via`. */
export function forwardedHeaders(raw: IncomingMessage): OutgoingHttpHeaders {
  const { headers, httpVersion } = raw;
  const kept = endToEndHeaders(raw).filter(([name]) => !ownHeaders.has(name));
  const via = [headers.via, `${httpVersion} ${pseudonym}`].flat().filter(Boolean).join(', ');
  const chunked = headers['transfer-encoding'] !== undefined;
  // RFC 9112, 6.3: with neither there is no body, which Node's client would send as chunks.
  const length = headers['content-length'] ?? '0';
  return {
    ...Object.fromEntries(kept),
    via,
    ...(chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
  };
}

/** The path of a target that may be an absolute URL (RFC 9112, 3.2.2), whose host would go before the header's. */
export function originForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?]*/i, '');
  return path.startsWith('/') ? path : `/${path}`;
}

const ownHeaders = new Set(['host', 'via', 'content-length']);

/** RFC 9110, 7.6.3: `Via: 1.1 one, 1.1 two (comment)`. */
export function wasForwarded({ headers }: IncomingMessage): boolean {
  const hops = [headers.via ?? []].flat().join(',').split(',');
  return hops.some((hop) => hop.trim().split(/\s+/)[1] === pseudonym);
}
