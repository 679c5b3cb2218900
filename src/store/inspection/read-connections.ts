import type { Queryable } from '../database.ts';

export interface Connections {
  used: number;
  /** What ordinary roles may have together. */
  max: number;
  /** What this role, and this database, may have; -1 for no limit of their own. */
  roleMax: number;
  databaseMax: number;
}

const statement = {
  name: 'read_connections',
  text: `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0) AS max,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS "roleMax",
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS "databaseMax"`,
};

export async function readConnections(database: Queryable): Promise<Connections> {
  return (await database.query<Connections & Record<string, unknown>>(statement)).rows[0]!;
}
