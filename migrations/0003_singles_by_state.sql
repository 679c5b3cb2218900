-- What came to a bad end of messages that were sent singly, by account: for `GET /v1/messages?state=`, and for doctor. Those of
-- batches are found by their batch, so a flood pays nothing for it; nor does what is sent or delivered.
CREATE INDEX outcome_single_state ON outcome (account_id, state, chunk_id, shard) WHERE batch IS NULL AND state >= 5;
