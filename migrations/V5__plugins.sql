-- Events that a plugin failed on: kept until `hookswitch plugin resume` has them decided again.
CREATE TABLE parked (
    lane      smallint NOT NULL,
    event_seq bigint NOT NULL,
    -- Of the decision that says so.
    ordinal   smallint NOT NULL,
    plugin    text NOT NULL,
    -- Whether it is to be decided again.
    due       boolean NOT NULL DEFAULT false,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, event_seq, ordinal)
);
CREATE INDEX parked_due ON parked (lane) WHERE due;
