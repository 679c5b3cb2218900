/** A database as it may be written down in the clear. */
export interface NamedDatabase {
  url: string;
  /** Nothing was left out: the URL opens the database. */
  whole: boolean;
}

/** Leaves out the password, and the parameters, any of which may be one. */
export function withoutSecrets(databaseUrl: string): NamedDatabase {
  const url = new URL(databaseUrl);
  const whole = url.password === '' && url.search === '';
  url.password = '';
  url.search = '';
  return { url: url.href, whole };
}
