-- expand: the release before neither reads nor writes it. A row that it writes keeps the fingerprint, and is looked at once too often at most; one that it
-- puts off has none, and leaves when that window opens, whatever its route has by then.

-- What a chunk was put off by: a fingerprint of the window that its route had then, null where no window had to do with it. When the route has
-- another one, the chunk is due, whatever its time says.
ALTER TABLE pending ADD COLUMN put_off_by integer;
