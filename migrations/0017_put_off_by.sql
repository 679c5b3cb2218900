-- expand: the release before neither reads nor writes it; a row that it writes keeps the mark, and is looked at once too often at most.

-- What a chunk was put off by: a mark of the window that its route had then, null where no window had to do with it. When the route has
-- another one, the chunk is due, whatever its time says.
ALTER TABLE pending ADD COLUMN put_off_by integer;
