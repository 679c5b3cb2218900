import type pg from 'pg';
import type { HostEvent } from '../lib/host-event.ts';
import { countUse } from './connecting/count-use.ts';
import { openConnections } from './connecting/open-connections.ts';
import { faultThrown } from './database-error.ts';
import { type Fault, planOutdated } from './fault.ts';
import { clientsOf } from './transactions/clients.ts';
import { runCalls } from './transactions/run-calls.ts';
import { runQuery } from './transactions/run-query.ts';
import { runTransaction } from './transactions/run-transaction.ts';

export { DatabaseError } from './database-error.ts';

/** One SQL statement: `name` makes it a prepared statement, once per connection. */
export interface Statement {
  name: string;
  text: string;
}

/** A statement with its values. */
export interface Call {
  statement: Statement;
  values: readonly unknown[];
}

export interface Queryable {
  query<Row extends pg.QueryResultRow = Record<string, unknown>>(
    statement: Statement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>;
}

export interface DatabaseSettings {
  /** Of one host, or of several of which one takes writes: see `lib/postgres-url.ts`. */
  url: string;
  /** Connections at most. */
  poolSize: number;
  /** Shown in pg_stat_activity as `millrace <name>`. */
  name: string;
  /**
   * The server ends a statement after this long, and a transaction when no statement comes for as long; 10,000 ms.
   * The wait for a synchronous standby at a COMMIT is not part of it: that ends with the client's patience.
   */
  statementTimeoutMs?: number;
  /** The server ends a statement that has waited this long for a lock; as long as for any other reason. */
  lockTimeoutMs?: number;
  /** How much longer the client waits for an answer before it drops the connection; 5,000 ms. */
  answerExtraMs?: number;
  /** Off for a PgBouncer before 1.21, which forgets prepared statements between transactions. */
  namedStatements?: boolean;
  /** Asks each new connection something before it is used for anything else; one that fails there is closed. */
  onConnection?: (connection: Queryable) => Promise<void>;
  /** Called when an idle connection breaks; the pool replaces it. */
  onIdleError?: (fault: Fault) => void;
  /** Called when another host of several is found to take writes, or none. */
  onHost?: (event: HostEvent) => void;
}

export interface Database extends Queryable {
  /** Runs `work` in one READ COMMITTED transaction. Any error rolls back and is thrown as a DatabaseError. */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /**
   * All of these or none, in one transaction and two round trips, a single one in one: none of them sees the
   * answer to another.
   */
  transactionOf(calls: readonly Call[]): Promise<void>;
  /** How its connections are used at this moment. */
  use(): PoolUse;
  close(): Promise<void>;
}

/** Connections that are taken, callers that wait for one, and connections at most. */
export interface PoolUse {
  busy: number;
  waiting: number;
  max: number;
}

const statementTimeoutDefaultMs = 10_000;
const answerExtraDefaultMs = 5_000;

export function openDatabase({
  statementTimeoutMs = statementTimeoutDefaultMs,
  answerExtraMs = answerExtraDefaultMs,
  namedStatements = true,
  lockTimeoutMs: lockMs,
  onConnection,
  ...settings
}: DatabaseSettings): Database {
  const statementMs = Math.ceil(statementTimeoutMs);
  const answerMs = statementMs + answerExtraMs;
  const admit = onConnection && ((client: pg.ClientBase) => onConnection(unnamed(client)));
  const { connections, use } = countUse(
    openConnections({ ...settings, statementMs, lockMs, answerMs, admit }),
    settings.poolSize,
  );
  const clients = clientsOf(connections, { statementMs, lockMs, namedStatements });
  const { poolSize } = settings;
  return {
    query: <Row extends pg.QueryResultRow>(statement: Statement, values: readonly unknown[] = []) =>
      withFreshPlans(poolSize, () => runQuery<Row>(clients, statement, values)),
    transaction: (work) => runTransaction(clients, work),
    transactionOf: (calls) => withFreshPlans(poolSize, () => runCalls(clients, calls)),
    use,
    close: () => connections.close(),
  };
}

/** What is asked once prepares nothing. */
function unnamed(client: pg.ClientBase): Queryable {
  return {
    async query<Row extends pg.QueryResultRow>({ text }: Statement, values: readonly unknown[] = []) {
      const { rows, rowCount } = await client.query<Row>(text, values as unknown[]);
      return { rows, rowCount: rowCount ?? 0 };
    },
  };
}

/** Each connection may have prepared its statements before a migration changed what they answer. */
async function withFreshPlans<Result>(poolSize: number, work: () => Promise<Result>): Promise<Result> {
  for (let connections = poolSize; ; connections--) {
    try {
      return await work();
    } catch (error) {
      if (faultThrown(error).code !== planOutdated || connections === 0) throw error;
    }
  }
}
