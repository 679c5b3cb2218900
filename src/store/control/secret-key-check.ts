import type { Queryable } from '../database.ts';

/** A known text, sealed by the installation's key: see `secret_key_check`. */
export interface SecretKeyCheck {
  sealed: string;
  madeBy: string;
}

export async function readSecretKeyCheck(database: Queryable): Promise<SecretKeyCheck | undefined> {
  const { rows } = await database.query<{ sealed: string; made_by: string }>({
    name: 'read_secret_key_check',
    text: 'SELECT sealed, made_by FROM secret_key_check',
  });
  return rows[0] && { sealed: rows[0].sealed, madeBy: rows[0].made_by };
}

export async function writeSecretKeyCheck(database: Queryable, check: SecretKeyCheck): Promise<void> {
  await database.query(
    {
      name: 'write_secret_key_check',
      text: `INSERT INTO secret_key_check (sealed, made_by) VALUES ($1, $2)
        ON CONFLICT (one) DO UPDATE SET sealed = excluded.sealed, made_by = excluded.made_by, made_at = now()`,
    },
    [check.sealed, check.madeBy],
  );
}
