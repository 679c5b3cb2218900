import { type Static, Type } from 'typebox';
import { parseTime } from '../../lib/parse-time.ts';
import { uuidV7 } from '../../lib/uuid-v7.ts';
import { testScopes } from '../../message/api-key.ts';
import type { ErrorItem } from '../../message/error-codes.ts';
import { findAccount } from '../../store/control/accounts.ts';
import { insertKey } from '../../store/control/keys.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { controlWrite } from '../control-write.ts';
import { hashKey, hintOf, makeKey } from '../keys.ts';
import { invalid } from '../validation.ts';
import { parseAccountId } from './account-fields.ts';
import { keyAnswer, NewKeyAnswer, ScopeName } from './key-fields.ts';

const Body = Type.Object(
  {
    accountId: Type.Optional(
      Type.String({ description: 'the account that it acts for; your own by default' }),
    ),
    scopes: Type.Array(ScopeName, { minItems: 1, maxItems: 4, uniqueItems: true }),
    expiresAt: Type.Optional(Type.String({ description: 'RFC 3339; in the future' })),
    test: Type.Optional(
      Type.Boolean({
        description:
          'what it sends goes through every step and is delivered to nobody: the attempt is simulated. ' +
          'It may have the scopes `send` and `read`.',
      }),
    ),
  },
  { additionalProperties: false },
);

export function createKey(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/keys',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Make an API key',
        description:
          'The key is in this answer and nowhere else. `admin` covers the other scopes, and accounts, keys and ' +
          'routes of the whole installation.',
        tags: ['keys'],
        body: Body,
        response: { 201: NewKeyAnswer },
      },
    },
    (request, reply) => {
      const wanted = readBody(request.body, { accountId: request.caller.accountId, nowMs: Date.now() });
      return controlWrite(
        context,
        { request, reply },
        {
          reserveIds: () => [uuidV7(Date.now())],
          async change(transaction, { ids }) {
            if (!(await findAccount(transaction, wanted.accountId))) throw invalid('body', [unknownAccount]);
            const secret = makeKey(wanted);
            const key = await insertKey(transaction, {
              id: ids[0]!,
              ...wanted,
              hash: hashKey(secret),
              hint: hintOf(secret),
            });
            const kept = keyAnswer(key);
            return { status: 201, body: { ...kept, key: secret }, kept };
          },
        },
      );
    },
  );
}

const unknownAccount = { pointer: '/accountId', code: 'unknown_account', detail: 'there is no such account' };

function readBody(body: Static<typeof Body>, settings: { accountId: number; nowMs: number }) {
  const { scopes, test = false } = body;
  const errors: ErrorItem[] = [];
  const accountId = body.accountId === undefined ? settings.accountId : parseAccountId(body.accountId);
  if (accountId === null) errors.push(unknownAccount);
  const expiresAt = body.expiresAt === undefined ? undefined : parseTime(body.expiresAt);
  if (expiresAt === null || (expiresAt && expiresAt.getTime() <= settings.nowMs)) {
    errors.push({
      pointer: '/expiresAt',
      code: 'invalid_value',
      detail: 'must be an RFC 3339 time in the future',
    });
  }
  if (test && scopes.some((scope) => !testScopes.includes(scope))) {
    const detail = `of a test key may be ${testScopes.join(' and ')} alone: it changes nothing that others have sent`;
    errors.push({ pointer: '/scopes', code: 'invalid_value', detail });
  }
  if (errors.length > 0) throw invalid('body', errors);
  return { accountId: accountId!, scopes, test, ...(expiresAt && { expiresAt }) };
}
