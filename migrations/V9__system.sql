-- The system's own events, dead letters, and logs that do not grow for ever.

-- Failures that nobody was told of yet. Filled by the statement that appends the failure, so that a crash loses none;
-- emptied by the statement that appends the event `message.failed`.
CREATE TABLE failure (
    notification_id uuid NOT NULL,
    attempt         smallint NOT NULL,
    code            integer,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notification_id, attempt)
);

CREATE FUNCTION delivery_failed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO failure (notification_id, attempt, code)
    VALUES (NEW.notification_id, NEW.attempt, NEW.code) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- The condition is read for each row; the function runs for failures only.
CREATE TRIGGER delivery_failed AFTER INSERT ON delivery
    FOR EACH ROW WHEN (NEW.status = 'failed') EXECUTE FUNCTION delivery_failed();

-- When a cause of failures was last told: once a minute at most.
CREATE TABLE failure_cause (
    cause   text PRIMARY KEY,
    told_at timestamptz NOT NULL
);

-- What became of each time that a schedule names. The key lets one host fire it.
CREATE TABLE schedule_slot (
    schedule   text NOT NULL,
    slot       timestamptz NOT NULL,
    -- start (known since then) | fired | missed
    outcome    text NOT NULL,
    -- The cron expression and time zone: other ones begin anew.
    cron       text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule, slot)
);

-- What an operator did about messages that failed. The key lets each be done once.
CREATE TABLE dead_letter (
    notification_id uuid PRIMARY KEY,
    -- The new message, where it was redriven; null where it was discarded.
    redriven_as     uuid UNIQUE,
    reason          text,
    at              timestamptz NOT NULL DEFAULT now()
);

-- The oldest rows of the logs go all the time: vacuum after 2 % and not after 20, so that their room is used again.
ALTER TABLE event SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE decision SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE notification SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE delivery SET (autovacuum_vacuum_scale_factor = 0.02);

-- A host appends to the logs and cannot rewrite them; where it may not delete either, these let it drop what is old.
CREATE FUNCTION prune_events(lanes smallint[], seqs bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH old AS (
        DELETE FROM event e USING unnest(lanes, seqs) AS p (lane, seq)
        WHERE e.lane = p.lane AND e.seq = p.seq AND e.received_at < now() - interval '1 day'
        RETURNING e.lane, e.seq
    ), decided AS (
        DELETE FROM decision d USING old WHERE d.lane = old.lane AND d.event_seq = old.seq
    ), notified AS (
        DELETE FROM notification n USING old WHERE n.event_lane = old.lane AND n.event_seq = old.seq
        RETURNING n.id
    ), delivered AS (
        DELETE FROM delivery d USING notified n WHERE d.notification_id = n.id
    ), lettered AS (
        DELETE FROM dead_letter l USING notified n WHERE l.notification_id = n.id
    ), failed AS (
        DELETE FROM failure f USING notified n WHERE f.notification_id = n.id
    )
    SELECT count(*) FROM old
$$;
-- What Meta reported of messages that were dropped before.
CREATE FUNCTION prune_deliveries(ids uuid[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH old AS (
        DELETE FROM delivery d
        WHERE d.notification_id = ANY(ids)
            AND NOT EXISTS (SELECT FROM notification n WHERE n.id = d.notification_id)
        RETURNING 1
    )
    SELECT count(*) FROM old
$$;
REVOKE EXECUTE ON FUNCTION prune_events, prune_deliveries FROM PUBLIC;
