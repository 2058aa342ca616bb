-- The logs: rows are appended and never updated; what the system knows is read
-- from them. Each append takes the log's advisory lock first, so that a smaller
-- seq never becomes visible after a larger one.

CREATE TABLE event (
    lane        smallint NOT NULL,
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    -- "C": these are compared byte by byte, and never sorted for people.
    id          text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    type        text NOT NULL,
    subject     text,
    time        timestamptz NOT NULL,
    -- Raw JSON, validated at intake. text: jsonb takes 2.5 times as long to insert.
    data        text NOT NULL,
    extensions  text,
    -- SHA-256 of what the producer said: tells a repeated post from a conflicting one.
    sha256      bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, seq),
    CONSTRAINT event_once UNIQUE (id, source)
);

-- Routing's cursor and its guard: an event routed twice breaks the key.
CREATE TABLE decision (
    lane       smallint NOT NULL,
    event_seq  bigint NOT NULL,
    ordinal    smallint NOT NULL,
    -- notify | nobody | skip | no_route | duplicate | failed
    outcome    text NOT NULL,
    reason     text,
    -- route | script | plugin
    engine     text,
    -- file:line of the rule.
    rule       text,
    release    text NOT NULL,
    -- What the rule decided, as JSON; null where it decided nothing.
    decision   text,
    -- What the rule asked of the world and was told, as JSON.
    asked      text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, event_seq, ordinal)
);

CREATE TABLE notification (
    lane            smallint NOT NULL,
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    id              uuid NOT NULL UNIQUE,
    event_lane      smallint NOT NULL,
    event_seq       bigint NOT NULL,
    ordinal         smallint NOT NULL,
    username        text,
    name            text,
    -- wa_id or user_id; null where the person cannot be reached.
    recipient       text,
    phone_number_id text NOT NULL,
    template        text NOT NULL,
    priority        smallint NOT NULL,
    message         text NOT NULL,
    -- Why this person gets it, in words.
    reason          text NOT NULL,
    send_at         timestamptz,
    expires_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, seq)
);
CREATE INDEX notification_event ON notification (event_lane, event_seq);

CREATE TABLE delivery (
    notification_id uuid NOT NULL,
    attempt         smallint NOT NULL,
    status          text NOT NULL,
    at              timestamptz NOT NULL,
    wamid           text,
    code            integer,
    detail          text,
    -- Decides idempotency: one intent an attempt, one row a webhook status.
    PRIMARY KEY (notification_id, attempt, status)
);
CREATE INDEX delivery_wamid ON delivery (wamid) WHERE status = 'accepted';
