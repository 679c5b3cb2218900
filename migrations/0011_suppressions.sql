-- expand: accounts keep lists of recipients that get nothing; the release before sends to them all the same.

-- One row for each account and channel that ever had a suppression; it stays when the last one is removed. Whoever adds raises `version`
-- first, in the same transaction: so versions of a list are committed in order, and a reader that has seen one has seen all before it.
-- `confirmed`: every worker is known to look at the list (src/store/control/suppression-lists.ts).
CREATE TABLE suppression_list (
  account_id integer NOT NULL,
  channel text NOT NULL,
  version bigint NOT NULL DEFAULT 0,
  confirmed boolean NOT NULL DEFAULT false,
  PRIMARY KEY (account_id, channel)
);

-- `hash` is made of account, channel and recipient (src/message/suppression.ts), so that one whose address was erased goes on to hold. No
-- reference to account: it would be looked up for each row of a list of millions, and accounts are never deleted but only marked so.
CREATE TABLE suppression (
  hash uuid PRIMARY KEY,
  account_id integer NOT NULL,
  channel text NOT NULL,
  -- Of its list, when it was added.
  version bigint NOT NULL,
  -- Null once the person was erased.
  address text,
  reason text,
  ref text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX suppression_place ON suppression (account_id, channel, version, hash);

-- How many lists the worker knows of; null for a worker of a release that knows none.
ALTER TABLE worker ADD COLUMN suppression_lists integer;
