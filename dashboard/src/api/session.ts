import { computed, signal } from '@preact/signals';

export type Scope = 'send' | 'read' | 'manage' | 'admin';

/** Whose key this is: what `GET /v1/caller` answers. */
export interface Caller {
  keyId: string;
  scopes: Scope[];
  /** What is sent with it reaches nobody. */
  test: boolean;
  accountId: string;
  accountName: string;
}

const keyName = 'millrace.key';
const accountName = 'millrace.account';

/** The key lives as long as the tab: it is in no URL, no cookie and no other tab. */
export const apiKey = signal<string | null>(sessionStorage.getItem(keyName));
export const caller = signal<Caller | null>(null);
/** Set while an administrator looks at one account. */
export const actsFor = signal<string | null>(sessionStorage.getItem(accountName));
/** Why one has to sign in again. */
export const signedOutBecause = signal<string | null>(null);

export const isAdmin = computed(() => caller.value?.scopes.includes('admin') ?? false);

export function can(scope: Scope): boolean {
  const scopes = caller.value?.scopes ?? [];
  return scopes.includes(scope) || scopes.includes('admin');
}

export function rememberKey(key: string): void {
  sessionStorage.setItem(keyName, key);
  apiKey.value = key;
  signedOutBecause.value = null;
}

export function actFor(accountId: string | null): void {
  if (accountId === null) sessionStorage.removeItem(accountName);
  else sessionStorage.setItem(accountName, accountId);
  actsFor.value = accountId;
}

export function signOut(because: string | null = null): void {
  sessionStorage.removeItem(keyName);
  actFor(null);
  signedOutBecause.value = because;
  apiKey.value = null;
  caller.value = null;
}
