-- What other rules would have made of past events: kept reports, and those that are being made.

CREATE TABLE replay (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The name of the API key; for the command line, the user of the machine and the role of the database.
    who        text NOT NULL,
    -- The SHA-256 over the files of the rules that are tried, in hexadecimal digits.
    release    text COLLATE "C" NOT NULL,
    -- Which events are looked at: JSON.
    choice     text NOT NULL,
    -- running | done | failed
    state      text NOT NULL DEFAULT 'running',
    -- Whether a command makes it, from files that hosts may not have; otherwise any host does.
    by_command boolean NOT NULL,
    -- Who is at it, and when another may take it over.
    runner     uuid,
    due_at     timestamptz NOT NULL,
    -- The places in the event log between which it looks, and the last one that it has looked at.
    first_seq  bigint NOT NULL,
    last_seq   bigint NOT NULL,
    place      bigint NOT NULL,
    -- What was found so far: the numbers, the report, and what is remembered of earlier events. JSON.
    totals     text NOT NULL,
    report     text NOT NULL,
    memory     text NOT NULL,
    -- Why it failed.
    error      text,
    ended_at   timestamptz
);
CREATE INDEX replay_due ON replay (due_at) WHERE state = 'running';
CREATE INDEX replay_created_at ON replay (created_at);
