import type { Client } from '../client/client.ts';
import type { AccountFlags } from './server-access.ts';

/**
 * What follows "no batches": the account that was looked into, where the key may look into others as well and none was named.
 * Empty where something was found.
 */
export async function lookedIn(
  client: Client,
  { flags, found }: { flags: AccountFlags & { json?: boolean }; found: readonly unknown[] },
): Promise<string> {
  if (found.length > 0 || flags.json || flags.account !== undefined) return '';
  const { value } = await client.call<{ accountId: string; scopes?: string[] }>({ path: '/v1/caller' });
  if (!value.scopes?.includes('admin')) return '';
  return ` in account ${value.accountId}; --account ID looks into another: millrace account list`;
}
