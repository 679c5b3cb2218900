import type { FastifyRequest } from 'fastify';
import type { ApiContext } from './context.ts';

/** Scheme, host and port by which others reach this server: as configured, else as this request does. */
export function publicOrigin({ publicUrl }: ApiContext, request: FastifyRequest): string {
  return publicUrl ?? `${request.protocol}://${request.host}`;
}
