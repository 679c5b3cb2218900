-- expand: accounts register endpoints that are told of their messages and batches; the release before does not look at these tables.

-- Endpoints of accounts. Control data: changed with the control version, read into memory by every process. `sealed_secrets` are what
-- requests are signed with, as text of src/lib/secret-box.ts. `begins` is a place in the change feed (src/store/reading/feed-cursor.ts):
-- what happened before is not told.
CREATE TABLE webhook (
  id uuid PRIMARY KEY,
  account_id integer NOT NULL REFERENCES account (id),
  name text NOT NULL,
  url text NOT NULL,
  sealed_secrets text NOT NULL,
  events text[] NOT NULL,
  filter jsonb NOT NULL DEFAULT '{}',
  batch_max smallint NOT NULL DEFAULT 1,
  begins text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  failing_since timestamptz,
  disabled_at timestamptz,
  disabled_reason text,
  deleted_at timestamptz
);
CREATE UNIQUE INDEX webhook_name ON webhook (account_id, name) WHERE deleted_at IS NULL;

-- How far the change feed has been made into callbacks. Turn after turn: turn n is made on one shard that follows from n, in one transaction
-- with the callbacks that it stores there, so whoever else makes the same turn meets this row and has done nothing
-- (src/store/events/callback-turn.ts).
CREATE TABLE callback_turn (
  shard smallint PRIMARY KEY,
  number bigint NOT NULL,
  place text NOT NULL
);
