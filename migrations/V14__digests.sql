-- What is collected, to be told as one message. Rows come and go: a digest that closes becomes an event.

CREATE TABLE digest (
    -- The id of the event that it becomes: the log's key keeps it from closing twice.
    id       uuid PRIMARY KEY,
    template text NOT NULL,
    -- A hash over whom it is for.
    key      text COLLATE "C" NOT NULL,
    -- The first decision that was collected, as JSON.
    decision text NOT NULL,
    due_at   timestamptz NOT NULL,
    -- One is open at a time.
    UNIQUE (template, key)
);
CREATE INDEX digest_due_at ON digest (due_at);

CREATE TABLE digest_item (
    digest_id  uuid NOT NULL REFERENCES digest (id) ON DELETE CASCADE,
    -- The decision that was collected.
    lane       smallint NOT NULL,
    event_seq  bigint NOT NULL,
    ordinal    smallint NOT NULL,
    -- The template's variables, as JSON.
    context    text NOT NULL,
    PRIMARY KEY (digest_id, lane, event_seq, ordinal)
);
