import { ProblemError } from '../../message/error-codes.ts';
import { findSigningKey } from '../../store/control/signing-keys.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { SigningKeyAnswer, signingKeyAnswer } from './signing-key-fields.ts';

export function showSigningKey(app: ApiInstance, { database, secrets }: ApiContext): void {
  app.get(
    '/v1/signing-key',
    {
      config: { scope: 'manage', errors: ['not_found'] },
      schema: {
        summary: 'What the status reports of the account are signed with: by what it ends, and since when',
        tags: ['webhooks'],
        response: { 200: SigningKeyAnswer },
      },
    },
    async ({ caller: { accountId } }) => {
      const signingKey = await findSigningKey(database, { accountId, secrets });
      if (signingKey) return signingKeyAnswer(signingKey);
      throw new ProblemError(
        'not_found',
        'the account has no signing key yet: PUT /v1/signing-key makes one',
      );
    },
  );
}
