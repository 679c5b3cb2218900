-- expand: the release before neither reads nor writes it. What it renames keeps no former name, as before.

-- Names that a webhook had before, the newest first: what waits for it is addressed by the one that it had then.
ALTER TABLE webhook ADD COLUMN former_names text[] NOT NULL DEFAULT '{}';
