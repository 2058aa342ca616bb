-- Releases of rules and plugins: their files once each, by what they contain, and which release is active.

-- Never changed. What no release has any more is dropped.
CREATE TABLE release_file (
    sha256     bytea PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- In bytes.
    size       bigint NOT NULL,
    content    bytea NOT NULL
);

-- Never changed.
CREATE TABLE release (
    -- SHA-256 over all paths and contents, in hexadecimal digits; decisions and hosts have the first 12 of them.
    id         text COLLATE "C" PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The name of the API key; for the command line, the user of the machine and the role of the database; for a folder
    -- that is served, the host.
    created_by text NOT NULL,
    note       text,
    -- The release that was active then.
    parent     text COLLATE "C",
    -- What became of compiling it and of running its cases: JSON.
    verdict    text NOT NULL,
    -- Its routes, templates, plugins and groups: JSON; null if it does not compile.
    outline    text
);
CREATE INDEX release_created_at ON release (created_at, id);

CREATE TABLE release_content (
    release text COLLATE "C" NOT NULL REFERENCES release,
    -- rules/… or plugins/…
    path    text COLLATE "C" NOT NULL,
    sha256  bytea NOT NULL REFERENCES release_file,
    PRIMARY KEY (release, path)
);
CREATE INDEX release_content_sha256 ON release_content (sha256);

-- Appended, never changed. The last row says which release is active.
CREATE TABLE activation (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    release text COLLATE "C" NOT NULL REFERENCES release,
    who     text NOT NULL,
    -- activate | rollback | serve
    way     text COLLATE "C" NOT NULL,
    -- Whether cases failed, and it was activated all the same.
    forced  boolean NOT NULL,
    reason  text
);
CREATE INDEX activation_release ON activation (release, seq);

-- Whether the host takes its rules from here, and not from a folder.
ALTER TABLE host ADD COLUMN follows boolean NOT NULL DEFAULT false;
-- The active release if it could not load it, and why.
ALTER TABLE host ADD COLUMN refused_release text, ADD COLUMN refusal text;

-- Drops some releases that were not active since then, and files that no release has any more; returns how many rows, 0 at
-- the end. The active one stays, the one before it, and those of hosts.
CREATE FUNCTION prune_releases(before timestamptz) RETURNS bigint
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
            AND r.id IS DISTINCT FROM (
                SELECT a.release FROM activation a
                WHERE a.release <> (SELECT l.release FROM activation l ORDER BY l.seq DESC LIMIT 1)
                ORDER BY a.seq DESC LIMIT 1)
            AND NOT EXISTS (SELECT FROM host h WHERE h.release = left(r.id, 12))
            AND NOT EXISTS (
                SELECT FROM activation a
                WHERE a.release = r.id AND coalesce(
                    (SELECT n.at FROM activation n WHERE n.seq > a.seq ORDER BY n.seq LIMIT 1), now()) >= until)
        ORDER BY r.created_at LIMIT 10
        FOR UPDATE SKIP LOCKED
    );
    DELETE FROM release_content WHERE release = ANY (old);
    DELETE FROM activation WHERE release = ANY (old);
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
REVOKE ALL ON FUNCTION prune_releases FROM PUBLIC;

-- Hosts run before deploy/roles.sql is run again.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT EXECUTE ON FUNCTION prune_releases TO hookswitch;
    END IF;
END
$$;
