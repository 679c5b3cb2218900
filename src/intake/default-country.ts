import type { Account } from '../message/account.ts';
import type { PhoneCountry } from '../message/phone-number.ts';

/** Where telephone numbers are dialled that come from the account and do not tell their country. */
export function defaultCountry(
  directory: { accountById(id: number): Account | undefined },
  accountId: number,
): PhoneCountry | undefined {
  return directory.accountById(accountId)?.defaultCountry ?? undefined;
}
