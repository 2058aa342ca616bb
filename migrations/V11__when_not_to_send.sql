-- Who wants no messages, and when people are left alone.

CREATE TABLE opt_out (
    -- wa_id or user id, as messages are addressed.
    recipient text PRIMARY KEY,
    -- all | marketing
    scope     text NOT NULL,
    -- Who said so, in words.
    source    text NOT NULL,
    at        timestamptz NOT NULL
);

ALTER TABLE person
    ADD COLUMN quiet_from  time,
    ADD COLUMN quiet_until time,
    -- A name of the IANA database.
    ADD COLUMN time_zone   text,
    ADD CONSTRAINT person_quiet_hours CHECK (num_nulls(quiet_from, quiet_until, time_zone) IN (0, 3));
