import type { SecretBox } from '../../lib/secret-box.ts';
import type { AccountSigningKey } from '../../message/signing-key.ts';
import type { Database, Queryable } from '../database.ts';
import { changeControl } from './change-control.ts';

const columns = 'account_id, sealed_key, begins, changed_at';

/** Gives an account this key. Where it had one, `begins` stays what it was: its messages may have asked for reports since. */
export async function putSigningKey(
  database: Queryable,
  { accountId, key, begins, secrets }: Omit<AccountSigningKey, 'changedAt'> & { secrets: SecretBox },
): Promise<AccountSigningKey> {
  const { rows } = await database.query<SigningKeyRow>(
    {
      name: 'put_signing_key',
      text: `INSERT INTO signing_key (account_id, sealed_key, begins) VALUES ($1, $2, $3)
        ON CONFLICT (account_id) DO UPDATE SET sealed_key = excluded.sealed_key, changed_at = now() RETURNING ${columns}`,
    },
    [accountId, secrets.seal(key, aboutKey(accountId)), begins],
  );
  return signingKeyOf(rows[0]!, secrets);
}

export async function findSigningKey(
  database: Queryable,
  { accountId, secrets }: { accountId: number; secrets: SecretBox },
): Promise<AccountSigningKey | null> {
  const { rows } = await database.query<SigningKeyRow>(
    { name: 'find_signing_key', text: `SELECT ${columns} FROM signing_key WHERE account_id = $1` },
    [accountId],
  );
  return rows[0] ? signingKeyOf(rows[0], secrets) : null;
}

/** Those of all accounts. `unopened` are those that no key here opens, with the reason. */
export async function readSigningKeys(
  database: Queryable,
  secrets: SecretBox,
): Promise<{ signingKeys: AccountSigningKey[]; unopened: { accountId: number; error: Error }[] }> {
  const signingKeys: AccountSigningKey[] = [];
  const unopened: { accountId: number; error: Error }[] = [];
  for (const row of await readAll(database)) {
    try {
      signingKeys.push(signingKeyOf(row, secrets));
    } catch (cause) {
      const accountId = row.account_id;
      const error = new Error(`the signing key of account ${accountId} cannot be opened`, { cause });
      unopened.push({ accountId, error });
    }
  }
  return { signingKeys, unopened };
}

/**
 * Seals by the present secret key those that an older one had sealed, and proves that all of them can be opened.
 * @throws SecretBoxError when one cannot be
 */
export async function sealSigningKeys(database: Database, secrets: SecretBox): Promise<void> {
  if ((await readStale(database, secrets)).length === 0) return;
  await changeControl(database, async (transaction) => {
    for (const { accountId, key } of await readStale(transaction, secrets)) {
      await transaction.query(sealStatement, [accountId, secrets.seal(key, aboutKey(accountId))]);
    }
  });
}

const sealStatement = {
  name: 'seal_signing_key',
  text: 'UPDATE signing_key SET sealed_key = $2 WHERE account_id = $1',
};

async function readStale(database: Queryable, secrets: SecretBox): Promise<AccountSigningKey[]> {
  return (await readAll(database))
    .map((row) => ({ row, opened: signingKeyOf(row, secrets) }))
    .filter(({ row }) => !secrets.isCurrent(row.sealed_key))
    .map(({ opened }) => opened);
}

async function readAll(database: Queryable): Promise<SigningKeyRow[]> {
  const { rows } = await database.query<SigningKeyRow>({
    name: 'read_signing_keys',
    text: `SELECT ${columns} FROM signing_key ORDER BY account_id`,
  });
  return rows;
}

interface SigningKeyRow extends Record<string, unknown> {
  account_id: number;
  sealed_key: string;
  begins: string;
  changed_at: Date;
}

function signingKeyOf(row: SigningKeyRow, secrets: SecretBox): AccountSigningKey {
  return {
    accountId: row.account_id,
    key: secrets.open(row.sealed_key, aboutKey(row.account_id)),
    begins: row.begins,
    changedAt: row.changed_at,
  };
}

/** A key that was moved to another account does not open. */
function aboutKey(accountId: number): string {
  return `account/${accountId}/signing-key`;
}
