-- A release that decides beside the live one about live events, and sends nothing: what it would have made otherwise.

CREATE TABLE shadow (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at  timestamptz NOT NULL DEFAULT now(),
    -- The name of the API key; for the command line, the user of the machine and the role of the database.
    who         text NOT NULL,
    note        text,
    -- The release that is tried, and the active one with which it is compared.
    release     text COLLATE "C" NOT NULL,
    live        text COLLATE "C" NOT NULL,
    -- The place of the activation; with another one, what is live has changed.
    activation  bigint NOT NULL,
    -- The first so many.
    lanes       smallint NOT NULL CHECK (lanes BETWEEN 1 AND 64),
    until       timestamptz NOT NULL,
    -- How far each of these lanes was looked at: the places of events.
    places      bigint[] NOT NULL CHECK (cardinality(places) = lanes),
    -- The host that is at it, when another one may take it over, and how often one did without getting any further.
    runner      uuid,
    due_at      timestamptz NOT NULL DEFAULT now(),
    takes       smallint NOT NULL DEFAULT 0,
    -- Why a host could not go on with it, until one has.
    trouble     text,
    -- What was found so far: the numbers, the report, and what is remembered of earlier events. JSON.
    totals      text NOT NULL,
    report      text NOT NULL,
    memory      text NOT NULL,
    -- CPU time of the rules of both, in microseconds, over the events that were compared.
    live_micros bigint NOT NULL DEFAULT 0,
    own_micros  bigint NOT NULL DEFAULT 0,
    -- time | stopped | failures | slow | activation | error
    ended_by    text,
    -- Why, in words.
    ended_why   text,
    ended_at    timestamptz,
    CHECK (num_nulls(ended_by, ended_at) IN (0, 2))
);
-- One at a time.
CREATE UNIQUE INDEX shadow_once ON shadow ((true)) WHERE ended_at IS NULL;
CREATE INDEX shadow_release ON shadow (release, id);
CREATE INDEX shadow_started_at ON shadow (started_at);

-- The first events for which it decided something else; further ones are only counted.
CREATE TABLE shadow_difference (
    shadow    bigint NOT NULL REFERENCES shadow ON DELETE CASCADE,
    lane      smallint NOT NULL,
    event_seq bigint NOT NULL,
    -- The event, the number of changes of each kind, and why its rules fail: JSON.
    found     text NOT NULL,
    PRIMARY KEY (shadow, lane, event_seq)
);
