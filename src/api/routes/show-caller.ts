import { Type } from 'typebox';
import type { ApiContext, ApiInstance } from '../context.ts';
import { ScopeName } from './key-fields.ts';

const CallerAnswer = Type.Object({
  keyId: Type.String(),
  scopes: Type.Array(ScopeName),
  test: Type.Boolean({ description: 'what the key sends is delivered to nobody' }),
  accountId: Type.String(),
  accountName: Type.String(),
});

/** Who asks: what a page that was given a key shows, and what it leaves out. */
export function showCaller(app: ApiInstance, { control }: ApiContext): void {
  app.get(
    '/v1/caller',
    {
      config: { scope: 'any' },
      schema: {
        summary: 'Whose key this is, and what it may do',
        description: 'Any key may ask.',
        tags: ['keys'],
        response: { 200: CallerAnswer },
      },
    },
    async ({ caller }) => ({
      keyId: caller.keyId,
      scopes: [...caller.scopes],
      test: caller.test,
      accountId: String(caller.accountId),
      accountName: control.accountById(caller.accountId)?.name ?? '',
    }),
  );
}
