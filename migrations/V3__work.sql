-- Small tables whose rows come and go.

-- What waits: a retry, a send_at, an unknown outcome, a place behind one of these.
CREATE TABLE deferred (
    lane            smallint NOT NULL,
    seq             bigint NOT NULL,
    notification_id uuid NOT NULL,
    due_at          timestamptz NOT NULL,
    attempt         smallint NOT NULL,
    -- send_at | retry | pair | unknown | as_template | behind
    reason          text NOT NULL,
    PRIMARY KEY (lane, seq)
);
CREATE INDEX deferred_due_at ON deferred (due_at);

CREATE TABLE host (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- Who reads a lane, until when, and how far its notifications are settled.
CREATE TABLE lane (
    lane       smallint PRIMARY KEY,
    owner      uuid,
    deadline   timestamptz NOT NULL DEFAULT '-infinity',
    checkpoint bigint NOT NULL DEFAULT 0
);
INSERT INTO lane (lane) SELECT generate_series(0, 63);

-- A dedupe key in force: the first decision that used it wins until it expires.
CREATE TABLE dedupe (
    template   text NOT NULL,
    key        text NOT NULL,
    event_lane smallint NOT NULL,
    event_seq  bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (template, key)
);
