import type { IncomingHttpHeaders } from 'node:http';
import type { Account } from '../message/account.ts';
import { allows } from '../message/api-key.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { ControlCache } from '../store/control/control-cache.ts';
import type { Caller } from './context.ts';
import { parseAccountId } from './routes/account-fields.ts';

/** The header by which an administrator looks at, and steers, what belongs to another account. */
const accountHeader = 'millrace-account';

/**
 * The caller, as the account that the request names, where it names one. What a deleted account sent is still there to
 * be looked at and canceled; nothing new is sent for it.
 * @throws ProblemError `forbidden` without the scope `admin`, `invalid_request` where there is no such account
 */
export async function actingFor(
  control: ControlCache,
  { caller, sends, headers }: { caller: Caller; sends: boolean; headers: IncomingHttpHeaders },
): Promise<Caller> {
  const named = headers[accountHeader];
  if (named === undefined) return caller;
  if (!allows(caller.scopes, 'admin')) {
    if (named === String(caller.accountId)) return caller;
    throw new ProblemError('forbidden', 'acting for another account needs a key with the scope "admin"');
  }
  const account = await namedAccount(control, String(named));
  if (!account) {
    throw new ProblemError('invalid_request', 'Millrace-Account names no account: see GET /v1/accounts');
  }
  if (account.deleted && sends) {
    throw new ProblemError('forbidden', 'the account is deleted: nothing more is sent for it');
  }
  return { ...caller, accountId: account.id, actsFor: account.id };
}

/** The account with this id, also a deleted one, and one that another server has made a moment ago. */
export async function namedAccount(control: ControlCache, text: string): Promise<Account | undefined> {
  const id = parseAccountId(text);
  if (id === null) return undefined;
  if (!control.accountById(id)) await control.lookAgain();
  return control.accountById(id);
}
