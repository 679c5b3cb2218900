import type { FastifyRequest } from 'fastify';

/** The key of `Authorization: AccessKey KEY`, else that of the query's `access_key`, which the header wins over. */
export function accessKeyOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) return /^AccessKey +([\x21-\x7e]+) *$/i.exec(authorization)?.[1];
  return queryOf(request).get('access_key') ?? undefined;
}

/**
 * The request is one of a client of the classic API, whatever it asks for. Those tell a failure by the member `errors` of
 * its answer alone: any other answer, to a call that is not served here, would pass for success.
 */
export function isClassic(request: FastifyRequest): boolean {
  if (request.routeOptions.config.classic) return true;
  return /^AccessKey\b/i.test(request.headers.authorization ?? '') || queryOf(request).has('access_key');
}

export function queryOf({ url }: Pick<FastifyRequest, 'url'>): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start === -1 ? '' : url.slice(start + 1));
}
