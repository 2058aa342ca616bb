-- Maximum requests per second of an API key, per host; not limited if null.
ALTER TABLE api_key ADD COLUMN rate integer CHECK (rate > 0);
