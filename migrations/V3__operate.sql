-- What operators did to messages, by the command line, HTTP or the console; and work of theirs that hosts carry on.

-- Appended, never changed but for the count, which grows while a long action goes on; dropped after a year.
CREATE TABLE operator_action (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    -- The name of the API key; for the command line, the user of the machine and the role of the database.
    who    text NOT NULL,
    -- cli | api | console
    way    text COLLATE "C" NOT NULL,
    -- For example failed.redrive.
    action text COLLATE "C" NOT NULL,
    -- The filter or the ids, JSON.
    what   text NOT NULL,
    reason text,
    -- How many messages or events it changed.
    count  bigint NOT NULL DEFAULT 0
);
CREATE INDEX operator_action_at ON operator_action (at);
CREATE INDEX operator_action_who ON operator_action (who, id);
CREATE INDEX operator_action_action ON operator_action (action, id);

-- The messages that an action changed.
CREATE TABLE operator_action_message (
    notification_id uuid NOT NULL,
    action_id       bigint NOT NULL,
    PRIMARY KEY (notification_id, action_id)
);
CREATE INDEX operator_action_message_action ON operator_action_message (action_id, notification_id);

-- Work that any host carries on in steps: the row of a job is locked for a step, and the step's changes are committed with
-- it. Its id is that of its action.
CREATE TABLE job (
    id         bigint PRIMARY KEY,
    -- Failures of messages that were created before the job, as JSON: later ones are not its business.
    filter     text NOT NULL,
    -- running | done | failed
    state      text COLLATE "C" NOT NULL DEFAULT 'running',
    -- Messages per second.
    rate       integer NOT NULL,
    -- Where it goes on: the last failure that it looked at.
    place_at   timestamptz,
    place_id   uuid,
    -- Messages that matched when it was created.
    total      bigint NOT NULL,
    -- Messages that it looked at, and those of them that may not be sent any more.
    done       bigint NOT NULL DEFAULT 0,
    skipped    bigint NOT NULL DEFAULT 0,
    error      text,
    -- When the next step is due.
    due_at     timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz
);
CREATE INDEX job_running ON job (due_at) WHERE state = 'running';

-- Drops a part of what is older than a year; returns how many rows, 0 at the end.
CREATE FUNCTION prune_actions() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH old AS (
        SELECT id FROM operator_action WHERE at < now() - interval '1 year' ORDER BY at LIMIT 10
    ), messages AS (
        DELETE FROM operator_action_message m USING (
            SELECT o.notification_id, o.action_id FROM old
            JOIN operator_action_message o ON o.action_id = old.id LIMIT 1000
        ) d
        WHERE m.notification_id = d.notification_id AND m.action_id = d.action_id
        RETURNING 1
    ), empty AS (
        -- All parts of a statement see the tables as they were: an action goes after its messages.
        DELETE FROM operator_action a USING old
        WHERE a.id = old.id AND NOT EXISTS (SELECT FROM operator_action_message m WHERE m.action_id = a.id)
        RETURNING a.id
    ), jobs AS (
        DELETE FROM job USING empty WHERE job.id = empty.id
    )
    SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM empty)
$$;

-- Hosts run before deploy/roles.sql is run again, and they act for operators meanwhile.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE (count) ON operator_action TO hookswitch;
        GRANT SELECT, INSERT ON operator_action_message TO hookswitch;
        GRANT SELECT, INSERT, UPDATE, DELETE ON job TO hookswitch;
        GRANT EXECUTE ON FUNCTION prune_actions TO hookswitch;
    END IF;
END
$$;
