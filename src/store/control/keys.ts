import type { ApiKey, Scope } from '../../message/api-key.ts';
import type { Queryable } from '../database.ts';

/** Named, because a prepared `*` fails when a migration adds a column. */
const columns = 'id, account_id, hash, hint, scopes, test, created_at, expires_at, revoked_at';

export interface NewKey {
  id: string;
  accountId: number;
  /** Of `hashKey`; the key itself is never stored. */
  hash: Buffer;
  hint: string;
  scopes: readonly Scope[];
  test: boolean;
  expiresAt?: Date;
}

/**
 * Stores a key. One of the same id takes the new hash: an earlier try stored it, and its answer, the only
 * place that ever showed the key, was never sent.
 */
export async function insertKey(database: Queryable, key: NewKey): Promise<ApiKey> {
  const { rows } = await database.query<KeyRow>(
    {
      name: 'insert_key',
      text: `INSERT INTO api_key (id, account_id, hash, hint, scopes, test, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, hint = excluded.hint RETURNING ${columns}`,
    },
    [key.id, key.accountId, key.hash, key.hint, key.scopes, key.test, key.expiresAt ?? null],
  );
  return keyOf(rows[0]!);
}

export async function findKey(database: Queryable, id: string): Promise<ApiKey | null> {
  const { rows } = await database.query<KeyRow>(
    { name: 'find_key', text: `SELECT ${columns} FROM api_key WHERE id = $1` },
    [id],
  );
  return rows[0] ? keyOf(rows[0]) : null;
}

export async function findKeyByHash(database: Queryable, hash: Buffer): Promise<ApiKey | null> {
  const { rows } = await database.query<KeyRow>(
    { name: 'find_key_by_hash', text: `SELECT ${columns} FROM api_key WHERE hash = $1` },
    [hash],
  );
  return rows[0] ? keyOf(rows[0]) : null;
}

/** Keys behind `after` by id, which is by creation; of one account or of all. */
export async function listKeys(
  database: Queryable,
  page: { accountId?: number; after: string; limit: number },
): Promise<ApiKey[]> {
  const { rows } = await database.query<KeyRow>(
    {
      name: 'list_keys',
      text: `SELECT ${columns} FROM api_key WHERE id > $1 AND ($2::integer IS NULL OR account_id = $2)
        ORDER BY id LIMIT $3`,
    },
    [page.after, page.accountId ?? null, page.limit],
  );
  return rows.map(keyOf);
}

/** A key that was revoked before keeps the time of that; null when there is no such key. */
export async function revokeKey(database: Queryable, id: string): Promise<ApiKey | null> {
  const { rows } = await database.query<KeyRow>(
    {
      name: 'revoke_key',
      text: `UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 RETURNING ${columns}`,
    },
    [id],
  );
  return rows[0] ? keyOf(rows[0]) : null;
}

/** Lets the key end at that time, unless it ends sooner anyway. */
export async function endKeyAt(database: Queryable, id: string, at: Date): Promise<void> {
  await database.query(
    {
      name: 'end_key_at',
      text: 'UPDATE api_key SET expires_at = least(expires_at, $2::timestamptz) WHERE id = $1',
    },
    [id, at],
  );
}

/** Whether anybody can still administer the installation. */
export async function hasLiveAdminKey(database: Queryable): Promise<boolean> {
  const { rowCount } = await database.query({
    name: 'has_live_admin_key',
    text: `SELECT 1 FROM api_key WHERE 'admin' = ANY (scopes)
      AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) LIMIT 1`,
  });
  return rowCount > 0;
}

/** Keys that may still be used, with their hashes in hex. Expiry is looked at when they are used. */
export async function readLiveKeys(database: Queryable): Promise<{ hash: string; key: ApiKey }[]> {
  const { rows } = await database.query<KeyRow>({
    name: 'read_live_keys',
    text: `SELECT ${columns} FROM api_key WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
  });
  return rows.map((row) => ({ hash: row.hash.toString('hex'), key: keyOf(row) }));
}

interface KeyRow extends Record<string, unknown> {
  id: string;
  account_id: number;
  hash: Buffer;
  hint: string;
  scopes: Scope[];
  test: boolean;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

function keyOf(row: KeyRow): ApiKey {
  return {
    id: row.id,
    accountId: row.account_id,
    hint: row.hint,
    scopes: row.scopes,
    test: row.test,
    createdAt: row.created_at,
    ...(row.expires_at && { expiresAt: row.expires_at }),
    ...(row.revoked_at && { revokedAt: row.revoked_at }),
  };
}
