import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** The name in `Via` of every Millrace server: a request is forwarded once, whichever of them did it. */
const pseudonym = 'millrace';

/** RFC 9110, 7.6.1: they are of one connection. The expectation is met by whoever is asked, and trailers are not kept. */
const hopByHop = [
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'],
];

/** The headers of a request or an answer that are for its other end, each with all its values. */
export function endToEndHeaders({
  headers,
  headersDistinct,
}: Pick<IncomingMessage, 'headers' | 'headersDistinct'>): [string, string[]][] {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...hopByHop, ...named]);
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
  const length = headers['content-length'];
  return {
    ...Object.fromEntries(kept),
    via,
    ...(chunked ? { 'transfer-encoding': 'chunked' } : length !== undefined && { 'content-length': length }),
  };
}

const ownHeaders = new Set(['host', 'via', 'content-length']);

/** RFC 9110, 7.6.3: `Via: 1.1 one, 1.1 two (comment)`. */
export function wasForwarded({ headers }: IncomingMessage): boolean {
  const hops = [headers.via ?? []].flat().join(',').split(',');
  return hops.some((hop) => hop.trim().split(/\s+/)[1] === pseudonym);
}
