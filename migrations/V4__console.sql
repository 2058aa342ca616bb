-- Sessions of the console.

CREATE TABLE console_session (
    -- SHA-256 of the 256 random bits in the cookie.
    sha256     bytea PRIMARY KEY,
    -- The key that it was opened with, as it was then: a key that is revoked or replaced ends its sessions.
    key_id     bigint NOT NULL,
    key_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- To the minute.
    used_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX console_session_used ON console_session (used_at);

-- Hosts run before deploy/roles.sql is run again.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON console_session TO hookswitch;
    END IF;
END
$$;
