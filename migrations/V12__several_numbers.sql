-- When users wrote to each of several sending numbers: a 24-hour window is open for the number that was written to.
CREATE TABLE number_window (
    -- wa_id or user id.
    recipient       text NOT NULL,
    phone_number_id text NOT NULL,
    last_inbound_at timestamptz NOT NULL,
    PRIMARY KEY (recipient, phone_number_id)
);
