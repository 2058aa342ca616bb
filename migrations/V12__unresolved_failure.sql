-- Failures that nobody resolved yet: what a failed message's list is read from, so that it takes no longer the more were resolved.
-- A message that arrived after all may still have a row: who reads looks at the log, too.
CREATE TABLE unresolved_failure (
    notification_id uuid NOT NULL,
    attempt         smallint NOT NULL,
    at              timestamptz NOT NULL,
    -- Meta's error code.
    code            integer,
    template        text COLLATE "C" NOT NULL,
    PRIMARY KEY (notification_id, attempt)
);

-- No failure is to come between what is read here and the triggers below.
LOCK TABLE delivery, dead_letter IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO unresolved_failure (notification_id, attempt, at, code, template)
SELECT d.notification_id, d.attempt, d.at, d.code, n.template
FROM delivery d JOIN notification n ON n.id = d.notification_id
WHERE d.status = 'failed' AND NOT EXISTS (SELECT FROM dead_letter l WHERE l.notification_id = d.notification_id)
ON CONFLICT DO NOTHING;

CREATE INDEX unresolved_failure_at ON unresolved_failure (at, notification_id);

CREATE OR REPLACE FUNCTION delivery_failed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO failure (notification_id, attempt, code)
    VALUES (NEW.notification_id, NEW.attempt, NEW.code) ON CONFLICT DO NOTHING;
    INSERT INTO unresolved_failure (notification_id, attempt, at, code, template)
    SELECT NEW.notification_id, NEW.attempt, NEW.at, NEW.code, n.template
    FROM notification n
    WHERE n.id = NEW.notification_id
        AND NOT EXISTS (SELECT FROM dead_letter l WHERE l.notification_id = NEW.notification_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE FUNCTION failure_resolved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM unresolved_failure WHERE notification_id = NEW.notification_id;
    RETURN NEW;
END
$$;
-- Before, so that it runs for what was resolved already, too: a failure that came at the same moment must not stay.
CREATE TRIGGER failure_resolved BEFORE INSERT ON dead_letter FOR EACH ROW EXECUTE FUNCTION failure_resolved();

CREATE OR REPLACE FUNCTION prune_events(lanes smallint[], seqs bigint[]) RETURNS bigint
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
    ), unresolved AS (
        DELETE FROM unresolved_failure u USING notified n WHERE u.notification_id = n.id
    )
    SELECT count(*) FROM old
$$;

-- Hosts run before deploy/roles.sql is run again: sending must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, DELETE ON unresolved_failure TO hookswitch;
    END IF;
END
$$;
