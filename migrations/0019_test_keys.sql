-- expand: keys may be test keys. The release before knows none of them by its secret, which is hashed otherwise, and takes the chunks of what they sent for ones that it cannot read.

-- What such a key sends is delivered to nobody: the attempt is simulated.
ALTER TABLE api_key ADD COLUMN test boolean NOT NULL DEFAULT false;
