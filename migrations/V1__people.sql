-- People, the groups they are in, and the WhatsApp users they are reached as.

CREATE TABLE contact (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Digits of the E.164 number, as Meta's webhooks give it.
    wa_id           text UNIQUE,
    -- Meta's business-scoped user id; the only identity of a user who hides the number.
    user_id         text UNIQUE,
    name            text,
    last_inbound_at timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (wa_id IS NOT NULL OR user_id IS NOT NULL),
    CHECK (wa_id ~ '^[0-9]{5,20}$')
);

CREATE TABLE person (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username   text NOT NULL UNIQUE,
    name       text NOT NULL,
    active     boolean NOT NULL DEFAULT true,
    contact_id bigint REFERENCES contact (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX person_contact_id ON person (contact_id);

CREATE TABLE groups (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE membership (
    group_id  bigint NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    person_id bigint NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, person_id)
);
CREATE INDEX membership_person_id ON membership (person_id);

-- A key is shown once, when it is made; only its SHA-256 is kept.
CREATE TABLE api_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    sha256     bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
