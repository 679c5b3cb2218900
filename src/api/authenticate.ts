import type { FastifyRequest } from 'fastify';
import { ProblemError } from '../message/error-codes.ts';
import type { ControlCache } from '../store/control/control-cache.ts';
import type { Caller } from './context.ts';
import { hashKey } from './keys.ts';

/** Longer than any key; hashing a header of kilobytes for a stranger is not worth it. */
const keyLengthMax = 512;

/**
 * Who holds the key of an `Authorization: Bearer` header, or what the endpoint takes instead; undefined, `unknownKey()`,
 * for an unknown, a revoked and an expired key alike.
 * @throws ProblemError `unauthorized` without a key
 */
export function authenticate(control: ControlCache, request: FastifyRequest): Caller | undefined {
  const key = sentKey(request);
  if (key === undefined || key.length > keyLengthMax) {
    throw new ProblemError('unauthorized', 'send the API key as "Authorization: Bearer KEY"');
  }
  const known = control.keyByHash(hashKey(key).toString('hex'));
  const account = known && control.accountById(known.accountId);
  if (!known || !account || account.deleted) return undefined;
  return { accountId: known.accountId, keyId: known.id, scopes: known.scopes, test: known.test };
}

export function unknownKey(): ProblemError {
  return new ProblemError('unauthorized', 'the API key is not known, has expired, or was revoked');
}

/** What the request shows as its key, whatever it is. */
export function sentKey(request: FastifyRequest): string | undefined {
  const { keyOf = bearerKey } = request.routeOptions.config;
  return keyOf(request);
}

function bearerKey({ headers }: FastifyRequest): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '')?.[1];
}
