-- What the promises of delivery need beyond the flood path: decisions about messages, and batches that are held.

-- What somebody asks of the owner of a shard, who alone makes outcomes: appended by anyone without a fence, and deleted
-- in the transaction of the outcomes that came of it. `kind`: 1 cancel, 2 replay, 3 resolve. `offsets` is a
-- bitmap of messages, null for all of the chunk; `filter` says which of those it is meant for, by their state
-- at the time when the owner takes it.
CREATE TABLE inbox (
  at timestamptz NOT NULL DEFAULT now(),
  shard smallint NOT NULL,
  kind smallint NOT NULL,
  id uuid NOT NULL,
  chunk_id uuid NOT NULL,
  batch uuid,
  offsets bytea,
  filter jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX inbox_batch ON inbox (batch) WHERE batch IS NOT NULL;

-- A paused batch keeps its pending chunks and sends nothing; of a canceled one the owners cancel what is not
-- sent yet, and what an upload commits late.
-- `reopened` rises when decisions on the batch are asked for: what was counted before does not make it done any more.
ALTER TABLE batch ADD COLUMN paused_at timestamptz, ADD COLUMN canceled_at timestamptz,
  ADD COLUMN reopened integer NOT NULL DEFAULT 0;
CREATE INDEX batch_held ON batch (id)
  WHERE done_at IS NULL AND (paused_at IS NOT NULL OR canceled_at IS NOT NULL);

-- `upload_key` is the hash of the Idempotency-Key that the newest upload came with: a keyed upload sent again goes on
-- where only its own tries came since. `unsettled`: an upload began while an older one had not ended, whose last commit
-- may still come: then only the closing, which fences every shard, ends the doubt of `uploading`.
ALTER TABLE batch ADD COLUMN upload_key bigint, ADD COLUMN unsettled boolean NOT NULL DEFAULT false;

-- What an account may do at most, as JSON: see src/message/account.ts.
ALTER TABLE account ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

-- Secrets of routes are encrypted at rest: a route's options as a whole, as text `mrs1.<key>.<nonce>.<tag>.<data>`
-- (src/lib/secret-box.ts). Plain options are of routes made before; they are encrypted at the next start.
ALTER TABLE route ALTER COLUMN options DROP NOT NULL;
ALTER TABLE route ADD COLUMN sealed_options text;
ALTER TABLE route ADD CONSTRAINT route_options CHECK ((options IS NULL) <> (sealed_options IS NULL));

-- A known text, sealed by the key of the installation: a process that cannot open it has not got the key and must
-- not start. `made_by` tells a person where the key is to be found.
CREATE TABLE secret_key_check (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  sealed text NOT NULL,
  made_by text NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now()
);

-- When a route stops sending to a provider that seems down: null for the defaults, false for never.
ALTER TABLE route ADD COLUMN breaker jsonb;

-- What goes to one prefix of numbers, host or domain at most: a list as in src/message/route.ts, null for none.
ALTER TABLE route ADD COLUMN destinations jsonb;

-- A worker that is stopping: it keeps its lease until its last shard is handed over, and gets no share any more.
ALTER TABLE worker ADD COLUMN leaving boolean NOT NULL DEFAULT false;

-- Some of the chunk's messages say when they are to be sent or when they expire, so its lines are looked at when it is
-- loaded. Of other chunks no line is, until it is sent.
ALTER TABLE chunk ADD COLUMN timed boolean NOT NULL DEFAULT false;

-- What workers tell of their lanes, one row a worker: written each second as long as somebody looks, else never.
CREATE TABLE worker_report (
  worker uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  lanes jsonb NOT NULL
);
-- Until when somebody looks.
CREATE TABLE worker_report_wanted (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  until timestamptz NOT NULL
);
INSERT INTO worker_report_wanted (until) VALUES ('-infinity');
-- The change feed reads outcomes in the order of the transactions that wrote them. A reader takes only what is older than
-- every transaction that still runs, so nothing can be committed behind it. Rows come in about that order, so a BRIN index
-- of some bytes for many rows is enough. (xid8 has no BRIN operator class; on Citus the coordinator's number counts.)
ALTER TABLE outcome ADD COLUMN account_id integer,
  ADD COLUMN written_by bigint DEFAULT (pg_current_xact_id()::text::bigint);
CREATE INDEX outcome_written_by ON outcome USING brin (written_by) WITH (autosummarize = on, pages_per_range = 32);

-- The same for batches: 1 delivering, 2 paused, 3 canceled, 4 done.
CREATE TABLE batch_event (
  written_by bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  at timestamptz NOT NULL DEFAULT now(),
  account_id integer NOT NULL,
  shard smallint NOT NULL,
  state smallint NOT NULL,
  batch uuid NOT NULL
) PARTITION BY RANGE (batch);
CREATE INDEX batch_event_account ON batch_event (account_id, written_by);

-- How rates and connections are divided between workers. A worker alone writes what it wants and what it uses
-- (`used`: the version of the grant that it follows, and the shares that it may be using); the owner of shard 0 alone
-- writes grants, behind that shard's fence. All is kept with shard 0, so that one transaction touches one shard. What was
-- given up may still be committed late: `seq` keeps an older report from replacing a newer one, and a decision holds only
-- in the round whose grants it was made from.
CREATE TABLE pace_demand (
  shard smallint NOT NULL DEFAULT 0,
  worker uuid NOT NULL,
  demand jsonb NOT NULL,
  used jsonb NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (shard, worker)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, fillfactor = 50);
CREATE TABLE pace_grant (
  shard smallint NOT NULL DEFAULT 0,
  worker uuid NOT NULL,
  version bigint NOT NULL,
  shares jsonb NOT NULL,
  PRIMARY KEY (shard, worker)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, fillfactor = 50);
CREATE TABLE pace_round (
  shard smallint PRIMARY KEY,
  round bigint NOT NULL
);
INSERT INTO pace_round (shard, round) VALUES (0, 0);

-- Messages with an orderingKey. `ordered` is the chunk's place in the order of its shard; `ordering` the 32-bit hashes of its
-- messages' keys, four bytes each in order of offset, so that it is known without the messages who waits for whom. Both are
-- null for a chunk of messages without keys.
ALTER TABLE pending ADD COLUMN ordered bigint, ADD COLUMN ordering bytea;
ALTER TABLE pending ALTER COLUMN ordering SET STORAGE EXTERNAL;
CREATE INDEX pending_ordered ON pending (shard, account_id, ordered) WHERE ordered IS NOT NULL;

-- The last place given on a shard. The row is locked until the transaction that takes a place has committed, so places
-- are committed in order: who sees one sees all before it.
CREATE TABLE shard_order (
  shard smallint PRIMARY KEY,
  last bigint NOT NULL
);
