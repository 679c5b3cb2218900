export type OutboxDialect = 'postgres' | 'mariadb';

/** The tables of one outbox, quoted for SQL. */
export interface OutboxTable {
  /** As it was named: `millrace_outbox` or `app.millrace_outbox`. */
  name: string;
  /** Messages that the application has staged. */
  staged: string;
  /** Requests that the drainer has fixed and not settled. */
  request: string;
  /** Messages that Millrace refused. */
  rejected: string;
  /** MariaDB: one row for each ordering slot. PostgreSQL has advisory locks for that. */
  slot: string;
}

export const outboxTableDefault = 'millrace_outbox';
/** Ordering keys share so many locks: a transaction that stages many keys takes no more of them. */
export const orderingSlots = 1_024;

/** PostgreSQL cuts a name after 63 bytes, and the longest suffix has nine. */
const nameCharsMax = 50;

/** @throws TypeError whose message says how a table is named */
export function outboxTable(name: string, dialect: OutboxDialect): OutboxTable {
  const parts = name.split('.');
  const isFit = (part: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(part) && part.length <= nameCharsMax;
  if (parts.length > 2 || !parts.every(isFit)) {
    throw new TypeError(
      `the table ${JSON.stringify(name)} must be named as ${outboxTableDefault} or schema.${outboxTableDefault}: ` +
        `letters, digits and underscores, ${nameCharsMax} at most`,
    );
  }
  const mark = dialect === 'postgres' ? '"' : '`';
  const suffixed = (suffix: string) =>
    [...parts.slice(0, -1), parts.at(-1)! + suffix].map((part) => mark + part + mark).join('.');
  return {
    name,
    staged: suffixed(''),
    request: suffixed('_request'),
    rejected: suffixed('_rejected'),
    slot: suffixed('_slot'),
  };
}
