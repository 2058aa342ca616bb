-- What happened, by minute and by hour: charts read a few rows, and no log is counted. Each host adds what it counted in
-- the last minute; what a host counted in the minute in which it is killed is missing.
CREATE TABLE tally (
    -- 60 or 3600: the length of a bucket, in seconds.
    step  smallint NOT NULL,
    -- When the bucket began.
    at    timestamptz NOT NULL,
    -- event | decision | send | receipt
    kind  text COLLATE "C" NOT NULL,
    -- Its outcome, result or status.
    label text COLLATE "C" NOT NULL,
    n     bigint NOT NULL,
    PRIMARY KEY (step, at, kind, label)
);

-- Hosts run before deploy/roles.sql is run again: they must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON tally TO hookswitch;
    END IF;
END
$$;
