-- expand: accounts have keys that sign status reports; the release before makes no reports, and fails those that it is given to send.

-- What the status reports of an account's messages are signed with. Control data: changed with the control version, read into memory by every
-- process. `sealed_key` is a text of src/lib/secret-box.ts. `begins` is a place in the change feed (src/store/reading/feed-cursor.ts): no
-- message of before asked for reports.
CREATE TABLE signing_key (
  account_id integer PRIMARY KEY REFERENCES account (id),
  sealed_key text NOT NULL,
  begins text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now()
);
