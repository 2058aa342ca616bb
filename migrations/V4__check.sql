-- What the set-up check looks at.

ALTER TABLE host
    -- The catalog's release that is live there.
    ADD COLUMN release text,
    -- The program's version.
    ADD COLUMN version text;

-- One row: when Meta's webhooks came, and when some were refused for their signature.
CREATE TABLE webhook (
    id          smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    accepted_at timestamptz,
    refused_at  timestamptz,
    refused     bigint NOT NULL DEFAULT 0
);
INSERT INTO webhook DEFAULT VALUES;

CREATE INDEX delivery_failed ON delivery (at) WHERE status = 'failed';
