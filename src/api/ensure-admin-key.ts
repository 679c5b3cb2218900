import { uuidV7 } from '../lib/uuid-v7.ts';
import { writePrivately } from '../lib/write-privately.ts';
import { defaultAccountId } from '../message/account.ts';
import { changeControl } from '../store/control/change-control.ts';
import { findKeyByHash, hasLiveAdminKey, insertKey } from '../store/control/keys.ts';
import type { Database, Queryable } from '../store/database.ts';
import { hashKey, hintOf, isTestKey, makeKey } from './keys.ts';

export interface AdminKeySettings {
  /** The configured key. */
  key?: string;
  /** The file that a new key is written to, for its owner's eyes only. */
  path: string;
}

/**
 * - `made`: a key was generated and written to the file; `key` is to be shown once;
 * - `configured`: the configured key works now (it may have done so before);
 * - `present`: there is an administrator key already, and none was configured.
 */
export type AdminKeyResult = { kind: 'made'; key: string } | { kind: 'configured' } | { kind: 'present' };

/** The configured administrator key cannot be used; a person must choose. */
class AdminKeyError extends Error {
  override name = 'AdminKeyError';
}

/**
 * Sees to it that somebody can administer the installation: of several processes that start at once, one
 * makes the key. It belongs to the account `default`.
 */
export function ensureAdminKey(
  database: Database,
  { key: configured, path }: AdminKeySettings,
): Promise<AdminKeyResult> {
  return changeControl(database, async (transaction): Promise<AdminKeyResult> => {
    if (configured !== undefined) {
      await ensureConfigured(transaction, configured);
      return { kind: 'configured' };
    }
    if (await hasLiveAdminKey(transaction)) return { kind: 'present' };
    const key = makeKey({ test: false });
    await storeAdminKey(transaction, key);
    // Before the commit: a key that works and that nobody knows would be worse than a stale file.
    await writePrivately(path, `${key}\n`);
    return { kind: 'made', key };
  });
}

async function ensureConfigured(transaction: Queryable, key: string): Promise<void> {
  if (isTestKey(key)) {
    throw new AdminKeyError(
      'the configured administrator key has the form of a test key: configure another one',
    );
  }
  const present = await findKeyByHash(transaction, hashKey(key));
  if (!present) {
    await storeAdminKey(transaction, key);
    return;
  }
  const ended = present.revokedAt !== undefined || (present.expiresAt && present.expiresAt <= new Date());
  if (ended) throw new AdminKeyError('the configured administrator key was revoked: configure another one');
  if (!present.scopes.includes('admin')) {
    throw new AdminKeyError('the configured administrator key is an API key without the scope "admin"');
  }
}

async function storeAdminKey(transaction: Queryable, key: string): Promise<void> {
  await insertKey(transaction, {
    id: uuidV7(Date.now()),
    accountId: defaultAccountId,
    hash: hashKey(key),
    hint: hintOf(key),
    scopes: ['admin'],
    test: false,
  });
}
