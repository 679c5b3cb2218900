import type { Account } from '../../message/account.ts';
import type { Queryable } from '../database.ts';

/** Named, because a prepared `*` fails when a migration adds a column. */
const columns = 'id, name, weight, default_routes, limits, prepaid, created_at, deleted_at, default_country';

export interface AccountFields {
  name: string;
  weight: number;
  defaultRoutes: Account['defaultRoutes'];
  limits: Account['limits'];
  prepaid: Account['prepaid'];
  defaultCountry: Account['defaultCountry'];
}

/** The caller has seen, in the same transaction, that no live account has the name. */
export async function insertAccount(database: Queryable, fields: AccountFields): Promise<Account> {
  const { rows } = await database.query<AccountRow>(
    {
      name: 'insert_account',
      text: `INSERT INTO account (name, weight, default_routes, limits, prepaid, default_country)
        VALUES ($1, $2, $3, $4, $5, $6)
        RETURNING ${columns}`,
    },
    valuesOf(fields),
  );
  return accountOf(rows[0]!);
}

/** The live account of that id. */
export async function findAccount(database: Queryable, id: number): Promise<Account | null> {
  const { rows } = await database.query<AccountRow>(
    { name: 'find_account', text: `SELECT ${columns} FROM account WHERE id = $1 AND deleted_at IS NULL` },
    [id],
  );
  return rows[0] ? accountOf(rows[0]) : null;
}

/** Live accounts behind `after`, by id. */
export async function listAccounts(
  database: Queryable,
  page: { after: number; limit: number },
): Promise<Account[]> {
  const { rows } = await database.query<AccountRow>(
    {
      name: 'list_accounts',
      text: `SELECT ${columns} FROM account WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2`,
    },
    [page.after, page.limit],
  );
  return rows.map(accountOf);
}

/** The live account of that name. */
export async function findAccountByName(database: Queryable, name: string): Promise<Account | null> {
  const { rows } = await database.query<AccountRow>(
    {
      name: 'find_account_by_name',
      text: `SELECT ${columns} FROM account WHERE name = $1 AND deleted_at IS NULL`,
    },
    [name],
  );
  return rows[0] ? accountOf(rows[0]) : null;
}

export async function updateAccount(
  database: Queryable,
  id: number,
  fields: AccountFields,
): Promise<Account | null> {
  const { rows } = await database.query<AccountRow>(
    {
      name: 'update_account',
      text: `UPDATE account SET name = $2, weight = $3, default_routes = $4, limits = $5, prepaid = $6,
          default_country = $7
        WHERE id = $1 AND deleted_at IS NULL RETURNING ${columns}`,
    },
    [id, ...valuesOf(fields)],
  );
  return rows[0] ? accountOf(rows[0]) : null;
}

/** Marks the account as deleted, revokes its keys and deletes its webhooks; false when it is no live account. */
export async function deleteAccount(database: Queryable, id: number): Promise<boolean> {
  const { rowCount } = await database.query(
    {
      name: 'delete_account',
      text: 'UPDATE account SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL',
    },
    [id],
  );
  if (rowCount === 0) return false;
  await database.query(
    {
      name: 'revoke_account_keys',
      text: 'UPDATE api_key SET revoked_at = now() WHERE account_id = $1 AND revoked_at IS NULL',
    },
    [id],
  );
  await database.query(
    {
      name: 'delete_account_webhooks',
      text: 'UPDATE webhook SET deleted_at = now() WHERE account_id = $1 AND deleted_at IS NULL',
    },
    [id],
  );
  return true;
}

/** Every account, the deleted ones too: messages outlive them. */
export async function readAllAccounts(database: Queryable): Promise<Account[]> {
  const { rows } = await database.query<AccountRow>({
    name: 'read_all_accounts',
    text: `SELECT ${columns} FROM account`,
  });
  return rows.map(accountOf);
}

function valuesOf(fields: AccountFields): unknown[] {
  const { name, weight, defaultRoutes, limits, prepaid, defaultCountry } = fields;
  return [
    ...[name, weight, JSON.stringify(defaultRoutes), JSON.stringify(limits)],
    prepaid && JSON.stringify(prepaid),
    defaultCountry,
  ];
}

interface AccountRow extends Record<string, unknown> {
  id: number;
  name: string;
  weight: number;
  default_routes: Account['defaultRoutes'];
  limits: Account['limits'];
  prepaid: Account['prepaid'];
  created_at: Date;
  deleted_at: Date | null;
  default_country: Account['defaultCountry'];
}

function accountOf(row: AccountRow): Account {
  return {
    id: row.id,
    name: row.name,
    weight: row.weight,
    defaultRoutes: row.default_routes,
    limits: row.limits,
    prepaid: row.prepaid,
    defaultCountry: row.default_country,
    createdAt: row.created_at,
    deleted: row.deleted_at !== null,
  };
}
