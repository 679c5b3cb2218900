-- expand: accounts whose events crowd the callbacks of others have a place of their own in the change feed. The release before goes on from `place`, the earliest of all: with each turn that it makes meanwhile, it tells events again.

-- How far the callbacks are made, where some accounts lie behind the others: {number, place, apart: [{accountId, place}]}. It stands beside
-- `place`, the earliest of them, and for the turn of its own `number` alone: a release that does not know it leaves it as it was.
ALTER TABLE callback_turn ADD COLUMN progress jsonb;
