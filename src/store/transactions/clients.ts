import type pg from 'pg';
import type { Connections } from '../connecting/connections.ts';
import type { Statement } from '../database.ts';
import { DatabaseError } from '../database-error.ts';
import { type Fault, faultOf } from '../fault.ts';

/** The connections of one `Database`, and what every transaction does with one of them. */
export interface Clients {
  /** Whether a statement by itself has the limit of statements: see `Connections`. */
  readonly limited: boolean;
  /** @throws DatabaseError */
  take(): Promise<pg.PoolClient>;
  giveBack(client: pg.PoolClient, fault?: Fault): void;
  /** Throws what the driver throws, as does `run`. */
  begin(client: pg.PoolClient): Promise<void>;
  run<Row extends pg.QueryResultRow>(
    client: pg.PoolClient,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>;
  /** Rolls back and gives the connection back, or drops it when that fails or the connection is lost; answers the error. */
  abandon<E extends DatabaseError | null>(client: pg.PoolClient, error: E): Promise<E>;
}

export function clientsOf(
  connections: Connections,
  {
    statementMs,
    lockMs,
    namedStatements,
  }: { statementMs: number; lockMs: number | undefined; namedStatements: boolean },
): Clients {
  // One round trip, and no session state: a setting of the session would be lost behind PgBouncer. A client that
  // is suspended, or whose machine is gone, must not keep its locks: nobody could take its shards.
  const begin = `BEGIN; SET LOCAL statement_timeout = ${statementMs};
    SET LOCAL idle_in_transaction_session_timeout = ${statementMs}${
      lockMs === undefined ? '' : `; SET LOCAL lock_timeout = ${lockMs}`
    }`;

  return {
    get limited() {
      return connections.limited;
    },

    async take() {
      try {
        return await connections.take();
      } catch (error) {
        throw new DatabaseError(faultOf(error), error);
      }
    },

    giveBack: (client, fault) => connections.giveBack(client, fault),

    async begin(client) {
      await client.query(begin);
    },

    async run<Row extends pg.QueryResultRow>(
      client: pg.PoolClient,
      { name, text }: Statement,
      values: readonly unknown[],
    ) {
      const query = { ...(namedStatements && { name }), text, values: values as unknown[] };
      const result = await client.query<Row>(query);
      return { rows: result.rows, rowCount: result.rowCount ?? 0 };
    },

    async abandon(client, error) {
      if (error?.fault.connectionLost) {
        connections.giveBack(client, error.fault);
        return error;
      }
      try {
        await client.query('ROLLBACK');
        connections.giveBack(client);
      } catch (rollbackError) {
        connections.giveBack(client, { ...faultOf(rollbackError), connectionLost: true });
      }
      return error;
    },
  };
}
