-- Files of the rules that were uploaded to Meta, which keeps an upload for 30 days and for one sending number.
CREATE TABLE uploaded_media (
    phone_number_id text COLLATE "C" NOT NULL,
    -- Of the file's content, in hexadecimal digits.
    sha256      text COLLATE "C" NOT NULL,
    -- Meta's id.
    media_id    text NOT NULL,
    uploaded_at timestamptz NOT NULL,
    -- When Meta forgets it.
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (phone_number_id, sha256)
);

-- The events that name a file which somebody has sent, by Meta's id of it. Only our own events have this source, and what
-- they say is valid for jsonb: it is without U+0000.
CREATE INDEX event_media ON event ((data::jsonb #>> '{media,id}'))
    WHERE source = '/hookswitch/whatsapp' AND type = 'message.received' AND data LIKE '%"media"%';

-- Hosts run before deploy/roles.sql is run again: sending must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON uploaded_media TO hookswitch;
    END IF;
END
$$;
