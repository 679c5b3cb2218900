import { Type } from 'typebox';
import type { AccountSigningKey } from '../../message/signing-key.ts';

export const SigningKeyAnswer = Type.Object({
  hint: Type.String({ description: 'the last characters' }),
  changedAt: Type.String({ format: 'date-time' }),
});

export function signingKeyAnswer({ key, changedAt }: AccountSigningKey) {
  return { hint: `…${key.slice(-4)}`, changedAt: changedAt.toISOString() };
}
