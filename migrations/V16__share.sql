-- A release that decides for a share of the lanes, beside the active one.

-- The release of the row goes on deciding for the other lanes; a host of an earlier version decides by it for all of them.
ALTER TABLE activation
    ADD COLUMN share_release text COLLATE "C" REFERENCES release,
    -- The first so many.
    ADD COLUMN share_lanes  smallint,
    -- Whether its cases failed, and it was activated all the same.
    ADD COLUMN share_forced boolean,
    ADD CONSTRAINT activation_share CHECK (
        num_nulls(share_release, share_lanes, share_forced) IN (0, 3)
        AND share_lanes BETWEEN 1 AND 63 AND share_release <> release);
CREATE INDEX activation_share_release ON activation (share_release, seq) WHERE share_release IS NOT NULL;

-- The release that decides for a share of the lanes on this host, and of how many of all lanes.
ALTER TABLE host ADD COLUMN share_release text, ADD COLUMN share_lanes smallint;

-- As in V13; a release that decided for a share was active, and the one that does so stays.
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
