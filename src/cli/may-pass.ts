import { ApiError, ConnectionError } from '../client/client.ts';

/** What a restart of the server, or a failover of its database, makes of a request: it works again in a while. */
export function mayPass(error: unknown): error is Error {
  if (error instanceof ConnectionError) return error.kind !== 'protocol';
  // 502 and 504 come from what stands before the server.
  return error instanceof ApiError && [429, 502, 503, 504].includes(error.problem.status);
}
