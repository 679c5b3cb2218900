-- expand: what becomes of messages is counted by minute, hour and day; the release before counts nothing, and reads and writes on as it did.

-- Some of its messages have tags of their own: their text is read where they are counted, also when nothing of it is sent.
ALTER TABLE chunk ADD COLUMN tagged boolean NOT NULL DEFAULT false;

-- What one transaction counted, written in it and on its shard: JSON as in src/message/statistics/series-tallies.ts, whose ages
-- are told from `at`. Each row is taken within seconds. `slot` follows the time, so that a partition is emptied and truncated
-- while others are written to: rows that an open transaction holds back are waded through for minutes, not for ever.
CREATE TABLE statistics_delta (
  at timestamptz NOT NULL,
  id bigint NOT NULL,
  shard smallint NOT NULL,
  slot smallint NOT NULL,
  entries text NOT NULL,
  PRIMARY KEY (shard, id, slot)
) PARTITION BY LIST (slot);
CREATE TABLE statistics_delta_0 PARTITION OF statistics_delta FOR VALUES IN (0)
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE TABLE statistics_delta_1 PARTITION OF statistics_delta FOR VALUES IN (1)
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE TABLE statistics_delta_2 PARTITION OF statistics_delta FOR VALUES IN (2)
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- The same of many transactions, by minute: the queue to where statistics are kept, in order of `number`. Folds that wait are
-- merged, so that it grows with series and minutes and not with messages. One that was sealed may have arrived: it is never
-- changed again. With a `step` it holds rows of that table, which are moved to another database.
CREATE TABLE statistics_fold (
  number bigint GENERATED ALWAYS AS IDENTITY,
  made_at timestamptz NOT NULL DEFAULT now(),
  sealed_at timestamptz,
  level smallint NOT NULL,
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  step text,
  entries text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Who folds and seals has this row. `id` names this database, `target` the one where statistics are kept; null for this one.
CREATE TABLE statistics_queue (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  target uuid
);
INSERT INTO statistics_queue DEFAULT VALUES;

-- Where statistics are kept: the folds that arrived, and up to when all is known of a database.
CREATE TABLE statistics_moved (
  at timestamptz NOT NULL DEFAULT now(),
  source uuid NOT NULL,
  fold uuid PRIMARY KEY
);
CREATE INDEX statistics_moved_age ON statistics_moved (source, at);
CREATE TABLE statistics_source (
  source uuid PRIMARY KEY,
  known_until timestamptz NOT NULL
);

-- What happened in each minute, hour and day. `kind` says what a row tells apart: 0 route, 1 and batch, 2 and tag, 3 and both;
-- what it does not tell apart is zero or empty. Of kind 0 account 0 is all of them. `waits` are the times to the first attempt,
-- as in src/message/statistics/waits.ts. Partitions are of a day, a month and a year: src/store/statistics/periods.ts.
CREATE TABLE statistics_minute (
  at timestamptz NOT NULL,
  accepted bigint NOT NULL,
  attempts bigint NOT NULL,
  sent bigint NOT NULL,
  delivered bigint NOT NULL,
  failed bigint NOT NULL,
  expired bigint NOT NULL,
  canceled bigint NOT NULL,
  suppressed bigint NOT NULL,
  uncertain bigint NOT NULL,
  account_id integer NOT NULL,
  route_id integer NOT NULL,
  kind smallint NOT NULL,
  batch uuid NOT NULL,
  tag text NOT NULL,
  waits text NOT NULL,
  PRIMARY KEY (kind, account_id, batch, tag, at, route_id)
) PARTITION BY RANGE (at);
CREATE TABLE statistics_hour (LIKE statistics_minute INCLUDING INDEXES) PARTITION BY RANGE (at);
CREATE TABLE statistics_day (LIKE statistics_minute INCLUDING INDEXES) PARTITION BY RANGE (at);
