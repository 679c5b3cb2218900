import type { Queryable } from '../database.ts';

export interface DatabasePlaces {
  /** Directories of the server: null where the role may not see its settings. */
  directories: string[] | null;
  /** The connection is one within a machine. */
  local: boolean;
}

const statement = {
  name: 'read_places',
  text: `SELECT (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS directory,
    (SELECT array_agg(pg_tablespace_location(oid)) FROM pg_tablespace WHERE pg_tablespace_location(oid) <> '') AS more,
    coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS local`,
};

/** Where the server keeps its files. */
export async function readPlaces(database: Queryable): Promise<DatabasePlaces> {
  const { rows } = await database.query<{ directory: string | null; more: string[] | null; local: boolean }>(
    statement,
  );
  const { directory, more, local } = rows[0]!;
  return {
    directories: directory === null ? null : [directory, `${directory}/pg_wal`, ...(more ?? [])],
    local,
  };
}
