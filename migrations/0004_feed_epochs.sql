-- expand: the change feed knows of failovers and restores; the release before reads and writes on as it did.

-- The change feed is in the order of numbers of transactions. A primary that is promoted may use some again that were lost with the
-- one before it, and a cluster that the data is restored into counts from its own beginning. So the servers write down where they are
-- (cluster, timeline), and begin an epoch when that has changed: see src/store/reading/settle-feed.ts. The highest `number` holds.
CREATE TABLE feed_epoch (
  number integer PRIMARY KEY,
  -- What cursors of this epoch carry. Those of the first carry nothing, nor do those of releases before this table.
  name text UNIQUE,
  -- Null: nobody has looked yet.
  cluster text,
  timeline bigint,
  -- What is added to the number of a transaction: `written_by` rises although another cluster's count is lower.
  shift bigint NOT NULL DEFAULT 0,
  -- What was read up to here before the epoch began holds still.
  begins bigint NOT NULL,
  -- Everything below was decided when this row was written, so who has the row has all of it.
  settled bigint NOT NULL,
  -- When it last rose.
  settled_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO feed_epoch (number, begins, settled) VALUES (1, 0, 0);
