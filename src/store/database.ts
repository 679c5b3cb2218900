import pg from 'pg';
import type { HostEvent } from './connecting/cluster.ts';
import { openConnections } from './connecting/open-connections.ts';
import { type Fault, faultOf, planOutdated } from './fault.ts';

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
  /** How much longer the client waits for an answer before it drops the connection; 5,000 ms. */
  answerExtraMs?: number;
  /** Off for a PgBouncer before 1.21, which forgets prepared statements between transactions. */
  namedStatements?: boolean;
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
  close(): Promise<void>;
}

/** An error of the database, classified: see `fault.ts`. */
export class DatabaseError extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, cause: unknown) {
    super(fault.message, { cause });
    this.name = 'DatabaseError';
    this.fault = fault;
  }
}

const statementTimeoutDefaultMs = 10_000;
const answerExtraDefaultMs = 5_000;

export function openDatabase({
  statementTimeoutMs = statementTimeoutDefaultMs,
  answerExtraMs = answerExtraDefaultMs,
  namedStatements = true,
  ...settings
}: DatabaseSettings): Database {
  const statementMs = Math.ceil(statementTimeoutMs);
  const connections = openConnections({ ...settings, statementMs, answerMs: statementMs + answerExtraMs });
  // One round trip, and no session state: a setting of the session would be lost behind PgBouncer. A client that
  // is suspended, or whose machine is gone, must not keep its locks: nobody could take its shards.
  const begin = `BEGIN; SET LOCAL statement_timeout = ${statementMs};
    SET LOCAL idle_in_transaction_session_timeout = ${statementMs}`;

  async function connect(): Promise<pg.PoolClient> {
    try {
      return await connections.take();
    } catch (error) {
      throw new DatabaseError(faultOf(error), error);
    }
  }

  async function run<Row extends pg.QueryResultRow>(
    client: pg.PoolClient,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    const query = namedStatements
      ? { name: statement.name, text: statement.text, values: values as unknown[] }
      : { text: statement.text, values: values as unknown[] };
    const result = await client.query<Row>(query);
    return { rows: result.rows, rowCount: result.rowCount ?? 0 };
  }

  async function transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result> {
    const client = await connect();
    let committing = false;
    try {
      await client.query(begin);
      const result = await work({ query: (statement, values = []) => run(client, statement, values) });
      committing = true;
      await commit(client);
      connections.giveBack(client);
      return result;
    } catch (error) {
      if (error instanceof DatabaseError) throw await abandon(client, error);
      const known = isDatabaseFault(error);
      if (!known) {
        await abandon(client, null);
        throw error;
      }
      const fault = faultOf(error);
      const ambiguous = fault.ambiguous || (committing && fault.connectionLost);
      throw await abandon(client, new DatabaseError({ ...fault, ambiguous }, error));
    }
  }

  /** Rolls back and gives the connection back, or drops it when that fails or the connection is lost. */
  async function abandon<E extends DatabaseError | null>(client: pg.PoolClient, error: E): Promise<E> {
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
  }

  /** A statement by itself is a transaction, and its answer that of its commit. */
  async function transactionOfOne({ statement, values }: Call): Promise<void> {
    const client = await connect();
    try {
      await withoutWarning(client, () => run(client, statement, values));
    } catch (error) {
      const fault = faultThrown(error);
      const ambiguous = fault.ambiguous || (fault.connectionLost && !isRefusal(error));
      connections.giveBack(client, fault);
      throw new DatabaseError({ ...fault, ambiguous }, error);
    }
    connections.giveBack(client);
  }

  async function transactionOf(calls: readonly Call[]): Promise<void> {
    if (calls.length === 1 && connections.limited) return await transactionOfOne(calls[0]!);
    const client = await connect();
    // Its answer is waited for: behind a BEGIN that was canceled each statement would be committed by itself.
    try {
      await client.query(begin);
    } catch (error) {
      throw await abandon(client, new DatabaseError(faultOf(error), error));
    }
    const answers = inOneWrite(client, () => [
      ...calls.map(({ statement, values }) => run(client, statement, values)),
      commit(client),
    ]);
    const settled = await Promise.allSettled(answers);
    // What failed first is the reason, what follows is refused because of it.
    const first = settled.find((answer) => answer.status === 'rejected');
    if (first) {
      const fault = faultThrown(first.reason);
      const last = settled.at(-1)!;
      // The COMMIT was on its way already: only its own answer tells that nothing came of it.
      const unheard = last.status === 'rejected' && faultThrown(last.reason).connectionLost;
      const ambiguous = fault.ambiguous || unheard;
      throw await abandon(client, new DatabaseError({ ...fault, ambiguous }, first.reason));
    }
    connections.giveBack(client);
  }

  async function query<Row extends pg.QueryResultRow>(statement: Statement, values: readonly unknown[]) {
    const client = await connect();
    if (!connections.limited) {
      connections.giveBack(client);
      return await transaction((one) => one.query<Row>(statement, values));
    }
    try {
      const result = await withoutWarning(client, () => run<Row>(client, statement, values));
      connections.giveBack(client);
      return result;
    } catch (error) {
      const fault = faultThrown(error);
      connections.giveBack(client, fault);
      throw error instanceof DatabaseError ? error : new DatabaseError(fault, error);
    }
  }

  /** Each connection may have prepared its statements before a migration changed what they answer. */
  async function withFreshPlans<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let connections = settings.poolSize; ; connections--) {
      try {
        return await work();
      } catch (error) {
        if (faultThrown(error).code !== planOutdated || connections === 0) throw error;
      }
    }
  }

  return {
    query: <Row extends pg.QueryResultRow>(statement: Statement, values: readonly unknown[] = []) =>
      withFreshPlans(() => query<Row>(statement, values)),
    transaction,
    transactionOf: (calls) => withFreshPlans(() => transactionOf(calls)),

    close: () => connections.close(),
  };
}

/** A system call for each statement would wake the server's process as often. */
function inOneWrite<Result>(client: pg.PoolClient, issue: () => Result): Result {
  const { stream } = client.connection;
  stream.cork();
  try {
    return issue();
  } finally {
    stream.uncork();
  }
}

/**
 * A COMMIT succeeds only when the server says COMMIT and nothing else. It says ROLLBACK, and calls that no error,
 * when a statement of the transaction had failed.
 */
async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await withoutWarning(client, () => client.query('COMMIT'));
  if (command !== 'COMMIT') throw new DatabaseError(rolledBack, undefined);
}

/**
 * What commits, a COMMIT or a statement by itself, is answered with a warning when the wait for the synchronous standby
 * was cut short: then the transaction is in this server alone, and a failover may lose it.
 */
async function withoutWarning<Result>(client: pg.PoolClient, work: () => Promise<Result>): Promise<Result> {
  let warning: { code: string | undefined; message: string | undefined } | undefined;
  const onNotice = ({ code, message }: { code: string | undefined; message: string | undefined }) => {
    if (code !== noticeCode) warning = { code, message };
  };
  client.on('notice', onNotice);
  try {
    const result = await work();
    if (!warning) return result;
    const { code = '', message = '' } = warning;
    const fault: Fault = { kind: 'unavailable', code, message, connectionLost: false, ambiguous: true };
    throw new DatabaseError(fault, undefined);
  } finally {
    client.off('notice', onNotice);
  }
}

/** Of messages that are no warning: `successful_completion`. */
const noticeCode = '00000';

const rolledBack: Fault = {
  kind: 'invalid',
  code: '25P02',
  message: 'a statement of the transaction had failed, so that COMMIT rolled it back',
  connectionLost: false,
  ambiguous: false,
};

function faultThrown(error: unknown): Fault {
  return error instanceof DatabaseError ? error.fault : faultOf(error);
}

/** The server says that it rolled back, whatever becomes of the connection. FATAL may come behind a commit. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR';
}

function isDatabaseFault(error: unknown): boolean {
  return error instanceof pg.DatabaseError || faultOf(error).kind !== 'unknown';
}
