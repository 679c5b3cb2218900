import {
  type OutboxDialect,
  type OutboxTable,
  orderingSlots,
  outboxTable,
  outboxTableDefault,
} from './outbox-table.ts';
import type { NewMessage } from './resources/message.ts';

/** A message as `POST /v1/messages` takes it. */
export type StagedMessage = NewMessage & { scheduledAt?: string; expiresAt?: string };

/**
 * What the application's transaction runs on: a client of `pg`, a connection of `mysql2` or `mariadb`, anything with
 * such a `query`, or a function that runs one statement in that transaction. Never a pool, whose statements go to other connections.
 */
export type StageConnection =
  | { query(sql: string, values: unknown[]): unknown }
  | ((sql: string, values: unknown[]) => unknown);

export interface StageOptions {
  /** Default `millrace_outbox`. */
  table?: string;
  /** Told by the connection, where it is one of the three drivers; else `postgres`. */
  dialect?: OutboxDialect;
}

/** Bytes of one message: Millrace takes no longer ones. */
const messageBytesMax = 65_536;
/** Messages of one INSERT. */
const insertMessagesMax = 1_000;

/**
 * Stages messages in the transaction that runs on `connection`: `millrace outbox` sends them once that is committed, and
 * they vanish with it where it is rolled back. Those with an `orderingKey` hold a lock of the key until the transaction
 * ends, so that messages of a key leave in the order of their commits.
 * @throws TypeError for a message that Millrace could not take, before anything is staged
 */
export async function stage(
  connection: StageConnection,
  messages: StagedMessage | readonly StagedMessage[],
  { table = outboxTableDefault, dialect }: StageOptions = {},
): Promise<void> {
  const list = Array.isArray(messages) ? (messages as readonly StagedMessage[]) : [messages as StagedMessage];
  const texts = list.map((message, index) =>
    textOf(message, list.length === 1 ? 'the message' : `message ${index}`),
  );
  const run = runnerOf(connection);
  const spoken = dialect ?? dialectOf(connection);
  const tables = outboxTable(table, spoken);
  const keys = [
    ...new Set(list.flatMap(({ orderingKey }) => (orderingKey === undefined ? [] : [orderingKey]))),
  ];
  const { lock, insert } = spoken === 'postgres' ? postgres : mariadb;
  if (keys.length > 0) await lock(run, tables, keys);
  for (let first = 0; first < texts.length; first += insertMessagesMax) {
    await insert(run, tables, texts.slice(first, first + insertMessagesMax));
  }
}

type Run = (sql: string, values: unknown[]) => Promise<unknown>;

interface Statements {
  /** Before any id is drawn, so that ids of a key are in the order of commits. In one order of slots, so that two of these do not wait for each other. */
  lock(run: Run, table: OutboxTable, keys: readonly string[]): Promise<unknown>;
  /** Ids in the order of the messages. */
  insert(run: Run, table: OutboxTable, texts: readonly string[]): Promise<unknown>;
}

const postgres: Statements = {
  lock: (run, { staged }, keys) =>
    run(
      `SELECT pg_advisory_xact_lock($1::regclass::oid::integer, slot)
        FROM (SELECT DISTINCT (hashtextextended(key, 0) & ${orderingSlots - 1})::integer AS slot
          FROM json_array_elements_text($2::json) AS given(key) ORDER BY slot) AS wanted`,
      [staged, JSON.stringify(keys)],
    ),
  insert: (run, { staged }, texts) =>
    run(
      `INSERT INTO ${staged} (message)
        SELECT message FROM json_array_elements($1::json) WITH ORDINALITY AS given(message, place) ORDER BY place`,
      [`[${texts.join(',')}]`],
    ),
};

const mariadb: Statements = {
  lock: (run, { slot }, keys) =>
    run(
      `SELECT slot FROM ${slot} WHERE slot IN (${keys.map(() => `CRC32(?) % ${orderingSlots}`).join(', ')})
        ORDER BY slot FOR UPDATE`,
      [...keys],
    ),
  insert: (run, { staged }, texts) =>
    run(`INSERT INTO ${staged} (message) VALUES ${texts.map(() => '(?)').join(', ')}`, [...texts]),
};

interface Driver {
  query?: unknown;
  execute?: unknown;
  promise?: unknown;
  getConnection?: unknown;
  totalCount?: unknown;
}

function runnerOf(connection: StageConnection): Run {
  if (typeof connection === 'function') return async (sql, values) => await connection(sql, values);
  const { query, promise, getConnection, totalCount } = (connection ?? {}) as Driver;
  if (typeof query !== 'function') {
    throw new TypeError(
      'stage needs the connection of your transaction, or a function (sql, values) that runs on it',
    );
  }
  if (typeof getConnection === 'function' || typeof totalCount === 'number') {
    throw new TypeError(
      'stage was given a pool: give it the connection on which your transaction runs, or messages are staged outside of it',
    );
  }
  // The callback interface of mysql2 answers no promise, and leads to the one that does.
  const target = typeof promise === 'function' ? (promise as () => unknown).call(connection) : connection;
  return async (sql, values) =>
    await (target as { query(sql: string, values: unknown[]): unknown }).query(sql, values);
}

/** Clients of `pg` have no `execute`; connections of `mysql2` and `mariadb` do. */
function dialectOf(connection: StageConnection): OutboxDialect {
  return typeof (connection as Driver).execute === 'function' ? 'mariadb' : 'postgres';
}

type FieldKind = 'text' | 'texts' | 'object' | 'any';

/** Every field that Millrace's interface names; what a server does not take yet, it refuses itself. */
const fields: Record<string, FieldKind> = {
  to: 'text',
  from: 'text',
  body: 'text',
  html: 'text',
  subject: 'text',
  ref: 'text',
  route: 'text',
  priority: 'text',
  orderingKey: 'text',
  scheduledAt: 'text',
  expiresAt: 'text',
  template: 'text',
  tags: 'texts',
  headers: 'object',
  metadata: 'object',
  params: 'object',
  payload: 'any',
  attachments: 'any',
};

function textOf(message: unknown, name: string): string {
  if (!isObject(message)) throw new TypeError(`${name} must be an object such as { to, body }`);
  for (const [field, value] of Object.entries(message)) {
    const kind = Object.hasOwn(fields, field) ? fields[field]! : undefined;
    if (kind === undefined)
      throw new TypeError(`${name} has a field ${JSON.stringify(field)}, which Millrace does not know`);
    if (value !== undefined) checkField(value, kind, `${field} of ${name}`);
  }
  if (typeof message.to !== 'string' || message.to === '')
    throw new TypeError(`${name} needs a recipient: to`);
  if (message.priority !== undefined && !['interactive', 'bulk'].includes(message.priority as string)) {
    throw new TypeError(`priority of ${name} must be interactive or bulk`);
  }
  const text = JSON.stringify(message);
  const bytes = Buffer.byteLength(text);
  if (bytes > messageBytesMax)
    throw new TypeError(`${name} has ${bytes} bytes; ${messageBytesMax} are the most`);
  return text;
}

function checkField(value: unknown, kind: FieldKind, name: string): void {
  if (kind === 'text' && typeof value !== 'string') throw new TypeError(`${name} must be a string`);
  if (kind === 'object' && !isObject(value)) throw new TypeError(`${name} must be an object`);
  if (kind === 'texts' && !(Array.isArray(value) && value.every((item) => typeof item === 'string'))) {
    throw new TypeError(`${name} must be an array of strings`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
