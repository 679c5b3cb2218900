import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type { StageConnection } from '../../src/client/outbox.ts';
import type { OutboxDialect } from '../../src/client/outbox-table.ts';

/** A connection of the application to its own database. */
export interface AppConnection {
  /** What `stage` takes. */
  staging: StageConnection;
  /** Rows of a SELECT. */
  query<Row>(sql: string, values?: unknown[]): Promise<Row[]>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  end(): Promise<void>;
}

export interface AppDatabase {
  dialect: OutboxDialect;
  url: string;
  connect(): Promise<AppConnection>;
}

export function postgresApp(url: string): AppDatabase {
  return {
    dialect: 'postgres',
    url,
    async connect() {
      const client = new pg.Client({ connectionString: url, application_name: 'outbox test' });
      await client.connect();
      const run = async (sql: string) => void (await client.query(sql));
      return {
        staging: client,
        query: async <Row>(sql: string, values: unknown[] = []) =>
          (await client.query(sql, values)).rows as Row[],
        begin: () => run('BEGIN'),
        commit: () => run('COMMIT'),
        rollback: () => run('ROLLBACK'),
        end: () => client.end(),
      };
    },
  };
}

export function mariadbApp(url: string): AppDatabase {
  return {
    dialect: 'mariadb',
    url,
    async connect() {
      const connection = await createConnection(url.replace(/^mariadb:/, 'mysql:'));
      return {
        staging: connection,
        query: async <Row>(sql: string, values: unknown[] = []) =>
          (await connection.query(sql, values))[0] as Row[],
        begin: () => connection.beginTransaction(),
        commit: () => connection.commit(),
        rollback: () => connection.rollback(),
        end: () => connection.end(),
      };
    },
  };
}
