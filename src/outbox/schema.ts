import { type OutboxDialect, orderingSlots, outboxTable } from '../client/outbox-table.ts';

/** The statements that make the tables of an outbox where they are missing. */
export function outboxSchema(dialect: OutboxDialect, tableName: string): string[] {
  return dialect === 'postgres' ? postgresSchema(tableName) : mariadbSchema(tableName);
}

function postgresSchema(tableName: string): string[] {
  const { staged, request, rejected } = outboxTable(tableName, 'postgres');
  return [
    `-- Messages that transactions of the application have staged. An INSERT of (message) is all that it takes.
-- Rows come and go: vacuum looks in after so many, however few are left.
CREATE TABLE IF NOT EXISTS ${staged} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message json NOT NULL,
  staged_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)`,
    `-- Requests of the drainer: which messages one has, and its very bytes, are fixed before it is posted.
CREATE TABLE IF NOT EXISTS ${request} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  idempotency_key text NOT NULL,
  contents text NOT NULL,
  body bytea NOT NULL,
  fixed_at timestamptz NOT NULL DEFAULT now(),
  posted_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`,
    `-- Compressed already.
ALTER TABLE ${request} ALTER COLUMN body SET STORAGE EXTERNAL`,
    `-- Messages that Millrace refused, with its reason. Nobody takes them from here but you.
CREATE TABLE IF NOT EXISTS ${rejected} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  staged_id bigint NOT NULL,
  message json NOT NULL,
  code text NOT NULL,
  detail text NOT NULL,
  rejected_at timestamptz NOT NULL DEFAULT now()
)`,
  ];
}

function mariadbSchema(tableName: string): string[] {
  const { staged, request, rejected, slot } = outboxTable(tableName, 'mariadb');
  const table = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4';
  return [
    `-- Messages that transactions of the application have staged. An INSERT of (message) is all that it takes.
CREATE TABLE IF NOT EXISTS ${staged} (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  message json NOT NULL,
  staged_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ${table}`,
    `-- Requests of the drainer: which messages one has, and its very bytes, are fixed before it is posted.
CREATE TABLE IF NOT EXISTS ${request} (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  idempotency_key varchar(255) NOT NULL,
  contents mediumtext NOT NULL,
  body longblob NOT NULL,
  fixed_at timestamp(6) NOT NULL DEFAULT current_timestamp(6),
  posted_at timestamp(6) NULL DEFAULT NULL
) ${table}`,
    `-- Messages that Millrace refused, with its reason. Nobody takes them from here but you.
CREATE TABLE IF NOT EXISTS ${rejected} (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  staged_id bigint NOT NULL,
  message json NOT NULL,
  code varchar(100) NOT NULL,
  detail text NOT NULL,
  rejected_at timestamp(6) NOT NULL DEFAULT current_timestamp(6)
) ${table}`,
    `-- A transaction that stages messages with an ordering key locks the slot of the key first.
CREATE TABLE IF NOT EXISTS ${slot} (slot smallint NOT NULL PRIMARY KEY) ${table}`,
    `INSERT IGNORE INTO ${slot}
  WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < ${orderingSlots - 1})
  SELECT number FROM numbers`,
  ];
}
