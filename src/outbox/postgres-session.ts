import pg from 'pg';
import { type OutboxTable, outboxTable } from '../client/outbox-table.ts';
import {
  type FixedRequest,
  OutboxError,
  type OutboxSession,
  type RejectedMessage,
  SessionLostError,
  type StagedRow,
} from './outbox-session.ts';
import { decodeRequest, encodeRequest, newRequestKey, type StoredContents } from './request-codec.ts';
import { outboxSchema } from './schema.ts';
import { sessionLimits } from './session-limits.ts';

/** `pg_current_snapshot` came with it. */
const versionMin = 130_000;
/** `idle_session_timeout` came with it. */
const idleTimeoutVersion = 140_000;
/** Beside the slots of the ordering keys, which count from 0. */
const workingLock = -1;
/** A pooler that shares sessions hands one to both of two connections soon. */
const poolerProbes = 3;

export async function createPostgresOutbox(url: string, tableName: string): Promise<void> {
  const client = await connect(url);
  try {
    await guarded(async () => {
      for (const statement of outboxSchema('postgres', tableName)) await client.query(statement);
    });
  } finally {
    await client.end().catch(() => {});
  }
}

/** @throws OutboxError for what the operator has to mend; SessionLostError where the database is away */
export async function openPostgresSession(url: string, tableName: string): Promise<OutboxSession> {
  const table = outboxTable(tableName, 'postgres');
  const client = await connect(url);
  try {
    return await guarded(async () => {
      await prepare(client, table);
      await refusePooler(url, client);
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      return new PostgresSession(client, { table, pid: rows[0]!.pid });
    });
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'millrace outbox',
    connectionTimeoutMillis: sessionLimits.connectMs,
    query_timeout: sessionLimits.answerMs,
    keepAlive: true,
  });
  // What happens to an idle connection is told by the next statement.
  client.on('error', () => {});
  await guarded(() => client.connect());
  return client;
}

async function prepare(client: pg.Client, { name, staged, request, rejected }: OutboxTable): Promise<void> {
  const { rows } = await client.query<{ version: number; missing: string | null }>(
    `SELECT current_setting('server_version_num')::integer AS version,
      (SELECT string_agg(name, ', ') FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL) AS missing`,
    [[staged, request, rejected]],
  );
  const { version, missing } = rows[0]!;
  if (version < versionMin) throw new OutboxError('the outbox needs PostgreSQL 13 or newer');
  if (missing !== null) {
    throw new OutboxError(`the outbox ${name} lacks tables (${missing}): make them with --create`);
  }
  // A drainer that is suspended in a transaction, or at all, must neither hold back vacuum nor keep others from working.
  // The statistics of a table that is full and empty by turns tell the planner nothing.
  await client.query(`SET default_transaction_isolation = 'read committed'; SET synchronous_commit = on;
    SET statement_timeout = ${sessionLimits.statementMs}; SET lock_timeout = ${sessionLimits.lockMs};
    SET idle_in_transaction_session_timeout = ${sessionLimits.idleInTransactionMs};
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET enable_seqscan = off
    ${version >= idleTimeoutVersion ? `; SET idle_session_timeout = ${sessionLimits.idleMs}` : ''}`);
}

/**
 * Behind a pooler that gives each transaction another session, nobody can hold a lock. A pooler shows by a process id that
 * is not the session's, and that kind by a second connection that meets the same session.
 */
async function refusePooler(url: string, client: pg.Client): Promise<void> {
  const pidOf = async (of: pg.Client) =>
    (await of.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
  if ((await pidOf(client)) === (client as pg.Client & { processID: number | null }).processID) return;
  const other = await connect(url);
  try {
    for (let probe = 0; probe < poolerProbes; probe++) {
      if ((await pidOf(client)) === (await pidOf(other))) throw sharedSession();
    }
  } finally {
    await other.end().catch(() => {});
  }
}

function sharedSession(): OutboxError {
  return new OutboxError(
    'the database is behind a pooler in transaction mode, where no session can hold the lock of the one drainer that works: ' +
      'give --database the address of the database itself, or of a pool in session mode',
  );
}

class PostgresSession implements OutboxSession {
  readonly #client: pg.Client;
  readonly #table: OutboxTable;
  readonly #pid: number;

  constructor(client: pg.Client, { table, pid }: { table: OutboxTable; pid: number }) {
    this.#client = client;
    this.#table = table;
    this.#pid = pid;
  }

  async tryLock() {
    const [row] = await this.#query<{ locked: boolean }>(
      'SELECT pg_try_advisory_lock($1::regclass::oid::integer, $2) AS locked',
      [this.#table.staged, workingLock],
    );
    return row!.locked;
  }

  async openRequests() {
    const rows = await this.#query<StoredContents & Omit<FixedRequest, 'messages' | 'ageMs'>>(
      `SELECT id::float8 AS id, idempotency_key AS "idempotencyKey", contents, body,
          (extract(epoch FROM clock_timestamp() - posted_at) * 1000)::float8 AS "postedMsAgo"
        FROM ${this.#table.request} ORDER BY id`,
    );
    return await Promise.all(
      rows.map(async ({ contents, body, postedMsAgo, ...request }) => ({
        ...request,
        postedMsAgo: postedMsAgo ?? undefined,
        messages: await decodeRequest({ contents, body }),
        ageMs: 0,
      })),
    );
  }

  async readStaged({ after, gaps, limit }: Parameters<OutboxSession['readStaged']>[0]) {
    // One statement sees all of it at one moment: what comes late in a gap is not overtaken by what was staged after it.
    return await this.#query<{ id: number; bytes: number }>(
      `SELECT id::float8 AS id, bytes FROM (
          (SELECT late.id, late.bytes FROM unnest($2::bigint[], $3::bigint[]) AS gap(first, last)
            CROSS JOIN LATERAL (SELECT id, octet_length(message::text) AS bytes FROM ${this.#table.staged}
              WHERE id BETWEEN gap.first AND gap.last ORDER BY id LIMIT $4) AS late
            ORDER BY late.id LIMIT $4)
          UNION ALL
          (SELECT id, octet_length(message::text) FROM ${this.#table.staged} WHERE id > $1 ORDER BY id LIMIT $4)
        ) AS found ORDER BY id LIMIT $4`,
      [after, gaps.map(([first]) => first), gaps.map(([, last]) => last), limit],
    );
  }

  async fix(ids: readonly number[], { posted }: { posted: boolean }) {
    return await this.#transaction(async () => {
      const rows = await this.#query<StagedRow>(
        `DELETE FROM ${this.#table.staged} WHERE id = ANY($1::bigint[])
          RETURNING id::float8 AS id, message::text AS message,
            (extract(epoch FROM clock_timestamp() - staged_at) * 1000)::float8 AS "ageMs"`,
        [ids],
      );
      if (rows.length === 0) return undefined;
      rows.sort((a, b) => a.id - b.id);
      const messages = rows.map(({ id, message }) => ({ stagedId: id, text: message }));
      const { contents, body } = await encodeRequest(messages);
      const idempotencyKey = newRequestKey();
      const [request] = await this.#query<{ id: number }>(
        `INSERT INTO ${this.#table.request} (idempotency_key, contents, body, posted_at)
          VALUES ($1, $2, $3, CASE WHEN $4::boolean THEN clock_timestamp() END) RETURNING id::float8 AS id`,
        [idempotencyKey, contents, body, posted],
      );
      return {
        id: request!.id,
        idempotencyKey,
        messages,
        postedMsAgo: posted ? 0 : undefined,
        ageMs: Math.max(...rows.map(({ ageMs }) => ageMs)),
      };
    });
  }

  async refuse(ids: readonly number[], { code, detail }: { code: string; detail: string }) {
    await this.#query(
      `WITH gone AS (DELETE FROM ${this.#table.staged} WHERE id = ANY($1::bigint[]) RETURNING id, message)
        INSERT INTO ${this.#table.rejected} (staged_id, message, code, detail)
        SELECT id, message, $2, $3 FROM gone ORDER BY id`,
      [ids, code, detail],
    );
  }

  async markPosted({ id, idempotencyKey }: FixedRequest) {
    await this.#query(
      `UPDATE ${this.#table.request} SET posted_at = clock_timestamp() WHERE id = $1 AND idempotency_key = $2`,
      [id, idempotencyKey],
    );
  }

  async unmarkPosted({ id, idempotencyKey }: FixedRequest) {
    await this.#query(
      `UPDATE ${this.#table.request} SET posted_at = NULL WHERE id = $1 AND idempotency_key = $2`,
      [id, idempotencyKey],
    );
  }

  async settle(
    { id, idempotencyKey }: FixedRequest,
    { rejected, next }: { rejected: readonly RejectedMessage[]; next: FixedRequest | undefined },
  ) {
    await this.#transaction(async () => {
      const gone = await this.#query(
        `DELETE FROM ${this.#table.request} WHERE id = $1 AND idempotency_key = $2 RETURNING id`,
        [id, idempotencyKey],
      );
      // Whoever deletes it keeps what was refused, and nobody else does.
      if (gone.length > 0) await this.#putAside(rejected);
      if (next) await this.markPosted(next);
    });
  }

  async keep(request: FixedRequest, { rejected, held }: Parameters<OutboxSession['keep']>[1]) {
    const idempotencyKey = newRequestKey();
    const { contents, body } = await encodeRequest(held);
    return await this.#transaction(async () => {
      const kept = await this.#query(
        `UPDATE ${this.#table.request} SET idempotency_key = $3, contents = $4, body = $5, posted_at = NULL
          WHERE id = $1 AND idempotency_key = $2 RETURNING id`,
        [request.id, request.idempotencyKey, idempotencyKey, contents, body],
      );
      if (kept.length === 0) return undefined;
      await this.#putAside(rejected);
      return { ...request, idempotencyKey, messages: held, postedMsAgo: undefined };
    });
  }

  async #putAside(rejected: readonly RejectedMessage[]): Promise<void> {
    if (rejected.length === 0) return;
    await this.#query(
      `INSERT INTO ${this.#table.rejected} (staged_id, message, code, detail)
        SELECT * FROM unnest($1::bigint[], $2::json[], $3::text[], $4::text[])`,
      [
        rejected.map(({ stagedId }) => stagedId),
        rejected.map(({ text }) => text),
        rejected.map(({ code }) => code),
        rejected.map(({ detail }) => detail),
      ],
    );
  }

  async moment() {
    const [row] = await this.#query<{ moment: string }>(
      'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS moment',
    );
    return row!.moment;
  }

  async haveEnded(since: string) {
    const [row] = await this.#query<{ ended: boolean }>(
      'SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::xid8 AS ended',
      [since],
    );
    return row!.ended;
  }

  async keepAlive() {
    await this.#query('SELECT 1');
  }

  async end() {
    await this.#client.end().catch(() => {});
  }

  async #query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return await guarded(async () => (await this.#client.query<Row>(text, values)).rows);
  }

  async #transaction<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#query('BEGIN');
    try {
      const [row] = await this.#query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      if (row!.pid !== this.#pid) throw sharedSession();
      const result = await work();
      await this.#query('COMMIT');
      return result;
    } catch (error) {
      await this.#client.query('ROLLBACK').catch(() => {});
      throw error;
    }
  }
}

/** By SQLSTATE: what waiting does not mend. */
const lasting: Record<string, string> = {
  '28': 'it refuses this user: --database names user and password',
  '3D': '--database names a database that is not there',
  '42501': 'the user of --database lacks a privilege; docs/outbox.md has the GRANTs',
  '42P01': 'the tables have changed: make them with --create',
  '42703': 'the tables have changed: make them with --create',
};

async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OutboxError || error instanceof SessionLostError) throw error;
    const { code = '', message } = error as { code?: string; message: string };
    const mend = lasting[code] ?? lasting[code.slice(0, 2)];
    if (mend) throw new OutboxError(`the application's database: ${message}; ${mend}`, { cause: error });
    throw new SessionLostError(`the application's database: ${message || code}`, { cause: error });
  }
}
