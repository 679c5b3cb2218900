import { createHash } from 'node:crypto';
import type { Connection, ResultSetHeader } from 'mysql2/promise';
import { type OutboxTable, outboxTable } from '../client/outbox-table.ts';
import {
  type FixedRequest,
  type IdRange,
  OutboxError,
  type OutboxSession,
  type RejectedMessage,
  SessionLostError,
  type StagedRow,
} from './outbox-session.ts';
import { decodeRequest, encodeRequest, newRequestKey, type StoredContents } from './request-codec.ts';
import { outboxSchema } from './schema.ts';
import { sessionLimits } from './session-limits.ts';

/** `DELETE … RETURNING` of several rows, `INSERT … RETURNING` and `SKIP LOCKED` are there: Debian 12 has 10.11. */
const versionMin = [10, 6] as const;

export async function createMariadbOutbox(url: string, tableName: string): Promise<void> {
  const connection = await connect(url);
  try {
    await guarded(async () => {
      for (const statement of outboxSchema('mariadb', tableName)) await connection.query(statement);
    });
  } finally {
    connection.destroy();
  }
}

/** @throws OutboxError for what the operator has to mend; SessionLostError where the database is away */
export async function openMariadbSession(url: string, tableName: string): Promise<OutboxSession> {
  const table = outboxTable(tableName, 'mariadb');
  const connection = await connect(url);
  try {
    return await guarded(async () => {
      const place = await prepare(connection, table);
      return new MariadbSession(connection, { table, lockName: lockNameOf(place) });
    });
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

async function connect(url: string): Promise<Connection> {
  const { createConnection } = await import('mysql2/promise').catch((error: unknown) => {
    throw new OutboxError(
      'an outbox in MariaDB needs the package mysql2, which is not installed: npm install mysql2',
      {
        cause: error,
      },
    );
  });
  const connection = await guarded(() =>
    createConnection({
      uri: url.replace(/^mariadb:/, 'mysql:'),
      connectTimeout: sessionLimits.connectMs,
      enableKeepAlive: true,
      charset: 'utf8mb4',
      supportBigNumbers: true,
      connectAttributes: { program_name: 'millrace outbox' },
    }),
  );
  // What happens to an idle connection is told by the next statement.
  connection.on('error', () => {});
  return connection;
}

/** Answers the name of the table with its database. */
async function prepare(
  connection: Connection,
  { name, staged, request, rejected }: OutboxTable,
): Promise<string> {
  const [[server]] = (await connection.query(
    'SELECT VERSION() AS version, DATABASE() AS named',
  )) as unknown as [{ version: string; named: string | null }[]];
  const { version, named } = server!;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (
    !version.includes('MariaDB') ||
    major < versionMin[0] ||
    (major === versionMin[0] && minor < versionMin[1])
  ) {
    throw new OutboxError(
      `the outbox needs PostgreSQL, or MariaDB ${versionMin.join('.')} or newer; this is ${version}`,
    );
  }
  if (named === null) throw new OutboxError('--database names no database: mariadb://user@host/NAME');
  for (const table of [staged, request, rejected]) {
    await connection.query(`SELECT 1 FROM ${table} LIMIT 0`);
  }
  // A drainer that is suspended in a transaction, or at all, must neither hold back purging nor keep others from working.
  await connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`);
  await connection.query(
    `SET autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', in_predicate_conversion_threshold = 0,
      max_statement_time = ${sessionLimits.statementMs / 1_000}, innodb_lock_wait_timeout = ${sessionLimits.lockMs / 1_000},
      idle_transaction_timeout = ${sessionLimits.idleInTransactionMs / 1_000}, wait_timeout = ${sessionLimits.idleMs / 1_000}`,
  );
  return name.includes('.') ? name : `${named}.${name}`;
}

/** Names of locks are those of the whole server, and of 64 characters. */
function lockNameOf(place: string): string {
  return `millrace outbox ${createHash('sha256').update(place).digest('hex').slice(0, 40)}`;
}

class MariadbSession implements OutboxSession {
  readonly #connection: Connection;
  readonly #table: OutboxTable;
  readonly #lockName: string;

  constructor(connection: Connection, { table, lockName }: { table: OutboxTable; lockName: string }) {
    this.#connection = connection;
    this.#table = table;
    this.#lockName = lockName;
  }

  async tryLock() {
    const [row] = await this.#rows<{ locked: number }>('SELECT GET_LOCK(?, 0) AS locked', [this.#lockName]);
    return row!.locked === 1;
  }

  async openRequests() {
    const rows = await this.#rows<
      StoredContents & { id: number; idempotencyKey: string; postedMsAgo: string | null }
    >(
      `SELECT id, idempotency_key AS idempotencyKey, contents, body,
          TIMESTAMPDIFF(MICROSECOND, posted_at, SYSDATE(6)) DIV 1000 AS postedMsAgo
        FROM ${this.#table.request} ORDER BY id`,
    );
    return await Promise.all(
      rows.map(async ({ contents, body, postedMsAgo, ...request }) => ({
        ...request,
        postedMsAgo: postedMsAgo === null ? undefined : Number(postedMsAgo),
        messages: await decodeRequest({ contents, body }),
        ageMs: 0,
      })),
    );
  }

  async readStaged({ after, gaps, limit }: Parameters<OutboxSession['readStaged']>[0]) {
    const { text, values } = inGaps(gaps);
    // One statement sees all of it at one moment: what comes late in a gap is not overtaken by what was staged after it.
    return await this.#rows<{ id: number; bytes: number }>(
      `SELECT id, OCTET_LENGTH(message) AS bytes FROM ${this.#table.staged} FORCE INDEX (PRIMARY)
        WHERE ${gaps.length === 0 ? '' : `${text} OR `}id > ? ORDER BY id LIMIT ?`,
      [...values, after, limit],
    );
  }

  async fix(ids: readonly number[], { posted }: { posted: boolean }) {
    return await this.#transaction(async () => {
      const rows = await this.#rows<StagedRow>(
        `DELETE FROM ${this.#table.staged} WHERE id IN (?)
          RETURNING id, CONCAT(message, '') AS message,
            TIMESTAMPDIFF(MICROSECOND, staged_at, SYSDATE(6)) DIV 1000 AS ageMs`,
        [ids],
      );
      if (rows.length === 0) return undefined;
      rows.sort((a, b) => a.id - b.id);
      const messages = rows.map(({ id, message }) => ({ stagedId: id, text: message }));
      const { contents, body } = await encodeRequest(messages);
      const idempotencyKey = newRequestKey();
      const { insertId } = await this.#change(
        `INSERT INTO ${this.#table.request} (idempotency_key, contents, body, posted_at)
          VALUES (?, ?, ?, ${posted ? 'SYSDATE(6)' : 'NULL'})`,
        [idempotencyKey, contents, body],
      );
      return {
        id: insertId,
        idempotencyKey,
        messages,
        postedMsAgo: posted ? 0 : undefined,
        ageMs: Math.max(...rows.map(({ ageMs }) => Number(ageMs))),
      };
    });
  }

  async refuse(ids: readonly number[], { code, detail }: { code: string; detail: string }) {
    await this.#transaction(async () => {
      await this.#change(
        `INSERT INTO ${this.#table.rejected} (staged_id, message, code, detail)
          SELECT id, message, ?, ? FROM ${this.#table.staged} WHERE id IN (?) ORDER BY id FOR UPDATE`,
        [code, detail, ids],
      );
      await this.#change(`DELETE FROM ${this.#table.staged} WHERE id IN (?)`, [ids]);
    });
  }

  async markPosted({ id, idempotencyKey }: FixedRequest) {
    await this.#change(
      `UPDATE ${this.#table.request} SET posted_at = SYSDATE(6) WHERE id = ? AND idempotency_key = ?`,
      [id, idempotencyKey],
    );
  }

  async unmarkPosted({ id, idempotencyKey }: FixedRequest) {
    await this.#change(
      `UPDATE ${this.#table.request} SET posted_at = NULL WHERE id = ? AND idempotency_key = ?`,
      [id, idempotencyKey],
    );
  }

  async settle(
    { id, idempotencyKey }: FixedRequest,
    { rejected, next }: { rejected: readonly RejectedMessage[]; next: FixedRequest | undefined },
  ) {
    await this.#transaction(async () => {
      const { affectedRows } = await this.#change(
        `DELETE FROM ${this.#table.request} WHERE id = ? AND idempotency_key = ?`,
        [id, idempotencyKey],
      );
      // Whoever deletes it keeps what was refused, and nobody else does.
      if (affectedRows > 0) await this.#putAside(rejected);
      if (next) await this.markPosted(next);
    });
  }

  async keep(request: FixedRequest, { rejected, held }: Parameters<OutboxSession['keep']>[1]) {
    const idempotencyKey = newRequestKey();
    const { contents, body } = await encodeRequest(held);
    return await this.#transaction(async () => {
      const { affectedRows } = await this.#change(
        `UPDATE ${this.#table.request} SET idempotency_key = ?, contents = ?, body = ?, posted_at = NULL
          WHERE id = ? AND idempotency_key = ?`,
        [idempotencyKey, contents, body, request.id, request.idempotencyKey],
      );
      if (affectedRows === 0) return undefined;
      await this.#putAside(rejected);
      return { ...request, idempotencyKey, messages: held, postedMsAgo: undefined };
    });
  }

  async #putAside(rejected: readonly RejectedMessage[]): Promise<void> {
    if (rejected.length === 0) return;
    await this.#change(`INSERT INTO ${this.#table.rejected} (staged_id, message, code, detail) VALUES ?`, [
      rejected.map(({ stagedId, text, code, detail }) => [stagedId, text, code, detail]),
    ]);
  }

  async moment() {
    return '';
  }

  /** A row that is not committed is locked by whoever inserted it; a locking read of the gap meets it. */
  async haveEnded(_since: string, gaps: readonly IdRange[]) {
    const { text, values } = inGaps(gaps);
    try {
      await this.#rows(
        `SELECT COUNT(*) FROM (SELECT id FROM ${this.#table.staged} FORCE INDEX (PRIMARY) WHERE ${text}
          LOCK IN SHARE MODE NOWAIT) AS late`,
        values,
      );
      return true;
    } catch (error) {
      if (((error as Error).cause as { errno?: number } | undefined)?.errno === lockWaitTimeout) return false;
      throw error;
    }
  }

  async keepAlive() {
    await this.#rows('SELECT 1');
  }

  async end() {
    // In order it would wait for an answer that may never come.
    this.#connection.destroy();
  }

  /** Values are put into the text by the driver: lists are, too. */
  async #rows<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    return await guarded(async () => (await this.#query(text, values)) as Row[]);
  }

  async #change(text: string, values: unknown[]): Promise<ResultSetHeader> {
    return await guarded(async () => (await this.#query(text, values)) as ResultSetHeader);
  }

  async #query(text: string, values: unknown[]): Promise<unknown> {
    const [result] = await this.#connection.query({ sql: text, values, timeout: sessionLimits.answerMs });
    return result;
  }

  async #transaction<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#change('START TRANSACTION', []);
    try {
      const [row] = await this.#rows<{ held: number | null }>(
        'SELECT IS_USED_LOCK(?) = CONNECTION_ID() AS held',
        [this.#lockName],
      );
      if (row!.held !== 1) throw sharedSession();
      const result = await work();
      await this.#change('COMMIT', []);
      return result;
    } catch (error) {
      await this.#connection.query('ROLLBACK').catch(() => {});
      throw error;
    }
  }
}

const lockWaitTimeout = 1205;

function sharedSession(): OutboxError {
  return new OutboxError(
    'the session has lost the lock of the one drainer that works: is there a proxy before the database that shares ' +
      'sessions? Give --database the address of the database itself',
  );
}

function inGaps(gaps: readonly IdRange[]): { text: string; values: number[] } {
  return { text: gaps.map(() => '(id BETWEEN ? AND ?)').join(' OR '), values: gaps.flat() };
}

/** By number of the error: what waiting does not mend. */
const lasting: Record<number, string> = {
  1044: 'docs/outbox.md has the GRANTs',
  1045: '--database names user and password',
  1049: '--database names a database that is not there',
  1142: 'docs/outbox.md has the GRANTs',
  1146: 'make the tables with --create',
  1054: 'the tables have changed: make them with --create',
};

async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OutboxError || error instanceof SessionLostError) throw error;
    const { errno = 0, code = '', message } = error as { errno?: number; code?: string; message: string };
    const mend = lasting[errno];
    if (mend) throw new OutboxError(`the application's database: ${message}; ${mend}`, { cause: error });
    throw new SessionLostError(`the application's database: ${message || code}`, { cause: error });
  }
}
