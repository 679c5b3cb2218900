-- expand: receipts come in, are matched and become outcomes; the release before takes none and works on as it did.

-- Where a route's provider calls: the unguessable part of the path, as text that the installation's key opens
-- (src/lib/secret-box.ts). Null until it is first wished for. `receipts_by` says by what the provider names messages: null for
-- the key that Millrace sent along, 'providerRef' for its own ids, which are then kept in `provider_ref`.
ALTER TABLE route ADD COLUMN sealed_receipts_token text, ADD COLUMN receipts_by text;

-- What providers told, as it came: one row holds what shared a commit, as JSON in a codec of chunks. A row is deleted in the
-- transaction that hands on what is in it; what is not matched yet comes back in another, due later. `shard` only spreads them.
CREATE TABLE receipt (
  received_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now(),
  route_id integer NOT NULL,
  shard smallint NOT NULL,
  tries smallint NOT NULL DEFAULT 0,
  codec smallint NOT NULL,
  count integer NOT NULL,
  id uuid NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE receipt ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Those matched, for the owner of the chunk's shard, who alone makes outcomes of them: deleted in the transaction of the
-- outcomes. `offsets` is a bitmap of messages, `renewal` the number of replays that they were sent under, `details` as in `outcome`.
CREATE TABLE matched_receipt (
  received_at timestamptz NOT NULL,
  at timestamptz NOT NULL,
  shard smallint NOT NULL,
  state smallint NOT NULL,
  renewal smallint NOT NULL,
  id uuid NOT NULL,
  chunk_id uuid NOT NULL,
  offsets bytea NOT NULL,
  error_code text,
  details text[],
  PRIMARY KEY (id, shard)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Receipts that no message was found for, kept for some days for whoever looks into it, without what may name a person.
CREATE TABLE unknown_receipt (
  at timestamptz NOT NULL DEFAULT now(),
  route_id integer NOT NULL,
  shard smallint NOT NULL,
  codec smallint NOT NULL,
  count integer NOT NULL,
  id uuid NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (shard, id)
);

-- Which message a provider's own id belongs to, where receipts name nothing else: written with the outcome that tells the id.
-- `hash` is of the route and the id; `renewal` as above.
CREATE TABLE provider_ref (
  hash bigint NOT NULL,
  route_id integer NOT NULL,
  shard smallint NOT NULL,
  "offset" smallint NOT NULL,
  renewal smallint NOT NULL,
  chunk_id uuid NOT NULL
) PARTITION BY RANGE (chunk_id);
CREATE INDEX provider_ref_hash ON provider_ref (hash);

-- Batches whose counters were changed by receipts: when they are done, their folded counts follow. `changes` tells whether it
-- was raised again since it was read.
CREATE TABLE batch_recount (
  shard smallint NOT NULL,
  changes integer NOT NULL DEFAULT 1,
  batch uuid NOT NULL,
  PRIMARY KEY (shard, batch)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
