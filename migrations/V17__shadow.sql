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

-- As in V13; a release that decided for a share was active. Those stay that decide for a share now, that decide beside the live
-- one, or that are being replayed.
CREATE OR REPLACE FUNCTION prune_releases(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    until timestamptz := least(before, now() - interval '1 day');
    old text[];
    dropped bigint;
    files bigint;
BEGIN
    old := ARRAY(
        SELECT r.id FROM release r
        WHERE r.created_at < until
            AND r.id IS DISTINCT FROM (SELECT a.release FROM activation a ORDER BY a.seq DESC LIMIT 1)
            AND r.id IS DISTINCT FROM (SELECT a.share_release FROM activation a ORDER BY a.seq DESC LIMIT 1)
            AND r.id IS DISTINCT FROM (
                SELECT a.release FROM activation a
                WHERE a.release <> (SELECT l.release FROM activation l ORDER BY l.seq DESC LIMIT 1)
                ORDER BY a.seq DESC LIMIT 1)
            AND NOT EXISTS (SELECT FROM host h WHERE left(r.id, 12) IN (h.release, h.share_release))
            AND NOT EXISTS (
                SELECT FROM activation a
                WHERE a.release = r.id AND coalesce(
                    (SELECT n.at FROM activation n WHERE n.seq > a.seq ORDER BY n.seq LIMIT 1), now()) >= until)
            AND NOT EXISTS (
                SELECT FROM activation a
                WHERE a.share_release = r.id AND coalesce(
                    (SELECT n.at FROM activation n WHERE n.seq > a.seq ORDER BY n.seq LIMIT 1), now()) >= until)
            AND NOT EXISTS (SELECT FROM shadow s WHERE s.release = r.id AND s.ended_at IS NULL)
            AND NOT EXISTS (SELECT FROM replay p WHERE p.release = r.id AND p.state = 'running')
        ORDER BY r.created_at LIMIT 10
        FOR UPDATE SKIP LOCKED
    );
    DELETE FROM release_content WHERE release = ANY (old);
    DELETE FROM activation WHERE release = ANY (old) OR share_release = ANY (old);
    DELETE FROM release WHERE id = ANY (old);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    -- A release that is being created has its files before it names them.
    DELETE FROM release_file f
    WHERE f.sha256 IN (
        SELECT o.sha256 FROM release_file o
        WHERE o.created_at < now() - interval '1 day'
            AND NOT EXISTS (SELECT FROM release_content c WHERE c.sha256 = o.sha256)
        LIMIT 100
    );
    GET DIAGNOSTICS files = ROW_COUNT;
    RETURN dropped + files;
END
$$;
