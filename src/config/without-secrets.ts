import { editPostgresUrl } from '../lib/postgres-url.ts';

/** A database as it may be written down in the clear. */
export interface NamedDatabase {
  url: string;
  /** Nothing was left out: the URL opens the database. */
  whole: boolean;
}

/** Leaves out the password, and the parameters, any of which may be one but that which chooses between hosts. */
export function withoutSecrets(databaseUrl: string): NamedDatabase {
  let whole = true;
  const url = editPostgresUrl(databaseUrl, (common) => {
    const secrets = [...common.searchParams.keys()].filter((name) => name !== 'target_session_attrs');
    whole = common.password === '' && secrets.length === 0;
    common.password = '';
    for (const name of secrets) common.searchParams.delete(name);
  });
  return { url, whole };
}
