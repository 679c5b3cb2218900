-- expand: a batch that is resumed before it is closed is told as open; the release before reads `state`, and tells it as delivering.

-- The state that is told where the release before has no name for it; null where `state` is told.
ALTER TABLE batch_event ADD COLUMN told smallint;
