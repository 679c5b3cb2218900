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
ALTER TABLE batch ADD COLUMN paused_at timestamptz, ADD COLUMN canceled_at timestamptz;
CREATE INDEX batch_held ON batch (id)
  WHERE done_at IS NULL AND (paused_at IS NOT NULL OR canceled_at IS NOT NULL);
