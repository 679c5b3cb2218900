import type { IncomingMessage } from 'node:http';

/**
 * "Requests larger than 1MB cannot be replayed" (fly.io/docs/networking/dynamic-request-routing). The smaller megabyte,
 * and the headers counted too: what its proxy could not repeat, the client would see as an error of the proxy.
 */
export const flyReplayBytesMax = 1_000_000;

/** Only a body that tells its length is known to fit. */
export function isReplayable({ headers, rawHeaders }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return false;
  const headBytes = rawHeaders.reduce((bytes, text) => bytes + text.length, 0);
  return headBytes + Number(headers['content-length'] ?? 0) <= flyReplayBytesMax;
}

/** Fly's proxy says so of what it repeats, and hands back by `fly-replay-failed` what it could not repeat. */
export function wasReplayed({ headers }: IncomingMessage): boolean {
  return headers['fly-replay-src'] !== undefined || headers['fly-replay-failed'] !== undefined;
}
