-- Messages are withdrawn by key while they wait, and limited for each recipient.

ALTER TABLE notification
    ADD COLUMN key text COLLATE "C",
    -- It was recorded as skipped when it was planned, and is never sent.
    ADD COLUMN skipped boolean NOT NULL DEFAULT false;
CREATE INDEX notification_key ON notification (key, event_seq) WHERE key IS NOT NULL;

-- Of each key what withdrew its messages last: those of all events before it in the log are not sent any more, whenever
-- they are planned.
CREATE TABLE withdrawal (
    key       text COLLATE "C" PRIMARY KEY,
    -- The place in the log of the event whose decision says so; of an operator's, that of the newest event.
    event_seq bigint NOT NULL,
    -- Who withdrew them, in words.
    reason    text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX withdrawal_at ON withdrawal (at);
