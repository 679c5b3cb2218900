import { Type } from 'typebox';
import { type ApiKey, scopes } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { hasLiveAdminKey } from '../../store/control/keys.ts';
import type { Queryable } from '../../store/database.ts';

const optionalTime = Type.Union([Type.String({ format: 'date-time' }), Type.Null()]);

export const ScopeName = Type.Enum([...scopes]);

const keyAnswerFields = {
  id: Type.String(),
  accountId: Type.String(),
  hint: Type.String({ description: 'the last characters of the key' }),
  scopes: Type.Array(ScopeName),
  test: Type.Boolean({ description: 'what it sends is delivered to nobody' }),
  createdAt: Type.String({ format: 'date-time' }),
  expiresAt: optionalTime,
  revokedAt: optionalTime,
};

export const KeyAnswer = Type.Object(keyAnswerFields);

export const NewKeyAnswer = Type.Object({
  ...keyAnswerFields,
  key: Type.Optional(
    Type.String({
      description: 'shown this once: an answer that is replayed for its Idempotency-Key has none',
    }),
  ),
});

export function keyAnswer(key: ApiKey) {
  return {
    id: key.id,
    accountId: String(key.accountId),
    hint: key.hint,
    scopes: [...key.scopes],
    test: key.test,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
  };
}

export function noSuchKey(): ProblemError {
  return new ProblemError('not_found', 'there is no such key');
}

/** @throws ProblemError when the transaction has left no key that could administer the installation. */
export async function keepAnAdministrator(transaction: Queryable): Promise<void> {
  if (await hasLiveAdminKey(transaction)) return;
  throw new ProblemError('conflict', 'this would end the last administrator key: make another one first');
}
