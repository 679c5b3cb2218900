import pg from 'pg';
import { runToEnd } from './child.ts';
import { familyOf } from './processes.ts';
import { requireProgram } from './requirements.ts';

const statementTimeoutMs = 600_000;
const copyTimeoutMs = 1_200_000;

/** The one PostgreSQL server of a run: the row table, Millrace and the peers all write to it, one after the other. */
export interface DatabaseServer {
  version: string;
  /** A new empty database; an older one of that name goes. */
  create(name: string): Promise<Database>;
  /** Before each measured side, so that none pays for what the one before left in memory. */
  checkpoint(): Promise<void>;
  /** Its first process, when it runs on this machine. */
  localPid(): Promise<number | undefined>;
  close(): Promise<void>;
}

export interface Database {
  name: string;
  url: string;
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Starts a measurement of what is written: a checkpoint, so that every side begins with cold pages. */
  startMeter(): Promise<Meter>;
  /** Tables, TOAST, indexes, catalogue. */
  bytes(): Promise<number>;
  /** The tables that take the most room, partitions counted with their parent; indexes and TOAST included. */
  largestTables(): Promise<{ name: string; bytes: number }[]>;
  /** Reads a file of tab-parted rows by psql's `\copy`; the milliseconds that it took. */
  copy(table: string, file: string): Promise<number>;
  drop(): Promise<void>;
}

export interface Meter {
  read(): Promise<{ walBytes: number; databaseBytes: number }>;
}

export async function connectServer(url: string): Promise<DatabaseServer> {
  const pool = openPool(url);
  const { rows } = await pool.query<{ server_version: string }>('SHOW server_version');
  return {
    version: rows[0]?.server_version ?? 'unknown',
    async create(name) {
      await pool.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await pool.query(`CREATE DATABASE ${name}`);
      return openDatabase({ name, url: databaseUrl(url, name), server: pool });
    },
    async checkpoint() {
      await pool.query('CHECKPOINT');
    },
    async localPid() {
      const { rows } = await pool.query<{ pid: number; backend: number }>(
        `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid, pg_backend_pid() AS backend`,
      );
      const { pid, backend } = rows[0]!;
      // Numbers of another machine, or of a container, may be those of other processes here.
      const family = await familyOf(pid);
      const isHere = family[0]?.name === 'postgres' && family.some((member) => member.pid === backend);
      return isHere ? pid : undefined;
    },
    close: () => pool.end(),
  };
}

function openDatabase({ name, url, server }: { name: string; url: string; server: pg.Pool }): Database {
  const pool = openPool(url);
  const bytes = async () => {
    const { rows } = await server.query<{ bytes: string }>('SELECT pg_database_size($1) AS bytes', [name]);
    return Number(rows[0]?.bytes);
  };
  return {
    name,
    url,
    bytes,
    async query(sql, values) {
      return (await pool.query(sql, values)).rows;
    },
    async startMeter() {
      await server.query('CHECKPOINT');
      const { rows } = await server.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
      const startBytes = await bytes();
      return {
        async read() {
          const since = await server.query<{ bytes: string }>(
            'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1) AS bytes',
            [rows[0]?.lsn],
          );
          return { walBytes: Number(since.rows[0]?.bytes), databaseBytes: (await bytes()) - startBytes };
        },
      };
    },
    async largestTables() {
      const { rows } = await pool.query<{ name: string; bytes: string }>(largestTables);
      return rows.map(({ name, bytes }) => ({ name, bytes: Number(bytes) }));
    },
    copy: (table, file) => copy({ url, table, file }),
    async drop() {
      await pool.end();
      await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

const largestTables = `
  SELECT coalesce(parent.relname, child.relname) AS name, sum(pg_total_relation_size(child.oid)) AS bytes
  FROM pg_class child
  JOIN pg_namespace space ON space.oid = child.relnamespace AND space.nspname NOT LIKE 'pg%'
  LEFT JOIN pg_inherits ON inhrelid = child.oid
  LEFT JOIN pg_class parent ON parent.oid = inhparent
  WHERE child.relkind = 'r'
  GROUP BY 1 ORDER BY 2 DESC LIMIT 8`;

async function copy({ url, table, file }: { url: string; table: string; file: string }): Promise<number> {
  const { PGPASSWORD, target } = withoutPassword(url);
  const psql = requireProgram('psql');
  const startedMs = performance.now();
  await runToEnd({
    command: psql,
    args: ['--no-psqlrc', '--set=ON_ERROR_STOP=1', '--quiet', '-c', `\\copy ${table} FROM '${file}'`, target],
    env: { PGPASSWORD },
    timeoutMs: copyTimeoutMs,
  });
  return performance.now() - startedMs;
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4, statement_timeout: statementTimeoutMs });
  // A dropped database ends its idle connections, which is no fault.
  pool.on('error', () => {});
  return pool;
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** A command line is for all to read. */
function withoutPassword(databaseUrl: string): { PGPASSWORD: string; target: string } {
  const url = new URL(databaseUrl);
  const PGPASSWORD = decodeURIComponent(url.password);
  url.password = '';
  return { PGPASSWORD, target: url.href };
}
