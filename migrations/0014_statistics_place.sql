-- expand: statistics may be kept in a database of their own; the release before keeps what it adds up in the database of the messages.

-- A database is named when it is first used: one that was made from a template, or is a copy, is another.
ALTER TABLE statistics_queue ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id DROP NOT NULL;
UPDATE statistics_queue SET id = NULL;
DELETE FROM statistics_source;
