-- expand: what accounts may still submit; the release before charges nobody, and reads and writes on as it did.

-- What an account with a daily quota or a prepaid balance has used: one row an account, made when it is first charged and locked by
-- the transaction that stores what it charges for. `messages` and `parts` are those of `day` (UTC, by this server's clock). Money is
-- in millionths of the account's currency; `balance_micros` plus `spent_micros` is the sum of the account's credits.
CREATE TABLE account_meter (
  messages bigint NOT NULL DEFAULT 0,
  parts bigint NOT NULL DEFAULT 0,
  balance_micros bigint NOT NULL DEFAULT 0,
  spent_micros bigint NOT NULL DEFAULT 0,
  account_id integer NOT NULL,
  day date NOT NULL,
  shard smallint NOT NULL,
  PRIMARY KEY (shard, account_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, fillfactor = 50);

-- Who gave or took how much, when and why; never changed. On the shard of the account's meter, whose balance moves with it.
CREATE TABLE account_credit (
  amount_micros bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  account_id integer NOT NULL,
  shard smallint NOT NULL,
  id uuid NOT NULL,
  -- The administrator's key that asked for it.
  key_id uuid NOT NULL,
  currency text NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (shard, id)
);
CREATE INDEX account_credit_account ON account_credit (account_id, at);

-- What a message costs, as JSON: see src/message/account.ts; null for accounts that pay later.
ALTER TABLE account ADD COLUMN prepaid jsonb;
