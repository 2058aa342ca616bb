-- What operators have stopped, at once on all hosts and outside releases. The statement that records the intent to send
-- looks here; the table is empty most of the time.
CREATE TABLE switch (
    -- rule | template | group | person | plugin | number | sending
    kind        text COLLATE "C" NOT NULL,
    -- A rule by its file, or its file and line. For sending: all.
    name        text COLLATE "C" NOT NULL,
    -- held | dropped: what becomes of messages. resuming: what was held goes out at a pace, nothing else is stopped.
    -- In this order the first counts for a message.
    mode        text COLLATE "C" NOT NULL,
    reason      text NOT NULL,
    stopped_by  text NOT NULL,
    stopped_at  timestamptz NOT NULL DEFAULT now(),
    -- While it is resumed: how many a second.
    per_second  integer,
    -- Up to here places of what was held are given away.
    woken_until timestamptz,
    PRIMARY KEY (kind, name)
);

-- The switch by which a message is held, or was until it was woken: kind and name, with a space between.
ALTER TABLE deferred ADD COLUMN stopped_by text COLLATE "C";
CREATE INDEX deferred_stopped ON deferred (stopped_by, reason, seq) WHERE stopped_by IS NOT NULL;

-- Whether the event waits because its plugin was stopped, and not because it failed.
ALTER TABLE parked ADD COLUMN stopped boolean NOT NULL DEFAULT false;
CREATE INDEX parked_stopped ON parked (plugin, event_seq, ordinal) WHERE stopped AND NOT due;

-- Hosts run before deploy/roles.sql is run again: sending must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON switch TO hookswitch;
    END IF;
END
$$;
