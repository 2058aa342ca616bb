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
    -- Both ids may be absent: the number belongs to another user now, and nobody knows the new one.
    CHECK (wa_id ~ '^[0-9]{5,20}$')
);

-- Each number (in each spelling) and user id that is or was known of a contact: by any of them the contact is found,
-- and with it what its user wants.
CREATE TABLE contact_address (
    address    text COLLATE "C" PRIMARY KEY,
    contact_id bigint NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    -- By Meta's clock, since when the contact has the address, or, where it is none of the contact's present ids, since
    -- when it has it no more. Older news of the address changes nothing. Null: always.
    since      timestamptz
);
CREATE INDEX contact_address_contact_id ON contact_address (contact_id);

-- A contact's present ids are among its addresses, whoever wrote them.
CREATE FUNCTION contact_addresses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO contact_address (address, contact_id)
    SELECT address, NEW.id FROM unnest(ARRAY[NEW.wa_id, NEW.user_id]) AS address WHERE address IS NOT NULL
    ON CONFLICT (address) DO UPDATE SET contact_id = excluded.contact_id
    WHERE contact_address.contact_id <> excluded.contact_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER contact_added AFTER INSERT ON contact FOR EACH ROW EXECUTE FUNCTION contact_addresses();
CREATE TRIGGER contact_changed AFTER UPDATE OF wa_id, user_id ON contact
    FOR EACH ROW WHEN ((OLD.wa_id, OLD.user_id) IS DISTINCT FROM (NEW.wa_id, NEW.user_id))
    EXECUTE FUNCTION contact_addresses();

CREATE TABLE person (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username    text NOT NULL UNIQUE,
    name        text NOT NULL,
    active      boolean NOT NULL DEFAULT true,
    contact_id  bigint REFERENCES contact (id) ON DELETE SET NULL,
    quiet_from  time,
    quiet_until time,
    -- A name of the IANA database.
    time_zone   text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT person_quiet_hours CHECK (num_nulls(quiet_from, quiet_until, time_zone) IN (0, 3))
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

-- What contacts have said about the messages that they want: of each scope the last word counts.
CREATE TABLE opt_out (
    contact_id  bigint NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    -- all | marketing; in this order, everything comes first.
    scope       text COLLATE "C" NOT NULL,
    -- Who said so, in words.
    source      text NOT NULL,
    -- By Meta's clock where Meta says so.
    at          timestamptz NOT NULL,
    -- Whether they want such messages again. Rows stay, so that a webhook that Meta repeats opts nobody out again.
    came_back   boolean NOT NULL DEFAULT false,
    -- What was said in that second: Meta's clock has no smaller parts.
    message_ids text[] NOT NULL,
    PRIMARY KEY (contact_id, scope)
);

-- When users wrote to each of several sending numbers: a 24-hour window is open for the number that was written to.
CREATE TABLE number_window (
    contact_id      bigint NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    phone_number_id text NOT NULL,
    last_inbound_at timestamptz NOT NULL,
    PRIMARY KEY (contact_id, phone_number_id)
);

-- Users who were written to outside their windows in the last 24 hours: Meta limits how many these may be.
CREATE TABLE daily_user (
    recipient text PRIMARY KEY,
    at        timestamptz NOT NULL
);
CREATE INDEX daily_user_at ON daily_user (at);

-- A key is shown once, when it is created; only its SHA-256 is stored.
CREATE TABLE api_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    sha256     bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    -- Sources that its events must have or be below; any if empty.
    sources    text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

-- The logs: rows are appended and never updated; what the system knows is read from them. Each append takes the log's
-- advisory lock first, so that a smaller seq never becomes visible after a larger one. Their oldest rows are deleted all
-- the time: vacuum after 2 % and not after 20, so that the space is used again.

CREATE TABLE event (
    lane        smallint NOT NULL,
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    -- "C": these are compared byte by byte, and never sorted for people.
    id          text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    type        text NOT NULL,
    subject     text,
    time        timestamptz NOT NULL,
    -- Raw JSON, validated at intake. text: jsonb takes 2.5 times as long to insert.
    data        text NOT NULL,
    extensions  text,
    -- SHA-256 of what the producer said: tells a repeated post from a conflicting one.
    sha256      bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, seq),
    CONSTRAINT event_once UNIQUE (id, source)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- Routing's cursor and its guard: an event routed twice breaks the key.
CREATE TABLE decision (
    lane       smallint NOT NULL,
    event_seq  bigint NOT NULL,
    ordinal    smallint NOT NULL,
    -- notify | nobody | skip | no_route | duplicate | failed | parked | collected
    outcome    text NOT NULL,
    reason     text,
    -- route | script | plugin
    engine     text,
    -- file:line of the rule.
    rule       text,
    release    text NOT NULL,
    -- What the rule decided, as JSON; null where it decided nothing.
    decision   text,
    -- What the rule asked of the world and was told, as JSON.
    asked      text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, event_seq, ordinal)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE notification (
    -- The lane of sender and recipient + 64 × priority (0 urgent, 1 normal, 2 bulk): each is read by a cursor of its own,
    -- so that no message waits behind the backlog of a lesser priority.
    lane            smallint NOT NULL,
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    id              uuid NOT NULL UNIQUE,
    event_lane      smallint NOT NULL,
    event_seq       bigint NOT NULL,
    ordinal         smallint NOT NULL,
    username        text,
    name            text,
    -- wa_id or user_id; null where the person cannot be reached.
    recipient       text,
    phone_number_id text NOT NULL,
    template        text NOT NULL,
    priority        smallint NOT NULL,
    message         text NOT NULL,
    -- Why this person gets it, in words.
    reason          text NOT NULL,
    send_at         timestamptz,
    expires_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
-- The messages of an event in their order: they are read page by page.
CREATE INDEX notification_event ON notification (event_lane, event_seq, seq);
-- What somebody got, the newest last: a person by the username, a customer by the number or user id.
CREATE INDEX notification_person ON notification (coalesce(username, recipient), id);

-- In the order of their ranks: of one attempt the highest counts, in whatever order the rows came. From delivered on
-- the phone has it. queued is what a message without rows is; it is never stored.
CREATE TYPE delivery_status AS ENUM (
    'queued', 'deferred', 'sending', 'unknown', 'retrying', 'accepted', 'held', 'sent', 'failed', 'skipped', 'expired',
    'delivered', 'read', 'played'
);

CREATE TABLE delivery (
    notification_id uuid NOT NULL,
    attempt         smallint NOT NULL,
    status          delivery_status NOT NULL,
    -- An attempt may wait for several things, one after the other: each has its row. All else happens once.
    variant         integer NOT NULL
        GENERATED ALWAYS AS (CASE status WHEN 'deferred' THEN hashtext(coalesce(detail, '')) ELSE 0 END) STORED,
    at              timestamptz NOT NULL,
    wamid           text,
    code            integer,
    detail          text,
    -- Decides idempotency: one intent an attempt, one row a webhook status.
    PRIMARY KEY (notification_id, attempt, status, variant)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX delivery_wamid ON delivery (wamid) WHERE status = 'accepted';
CREATE INDEX delivery_failed ON delivery (at) WHERE status = 'failed';
-- The statuses that few notifications have: found among a million without looking at each.
CREATE INDEX delivery_seldom ON delivery (status, at)
    WHERE status IN ('deferred', 'unknown', 'retrying', 'held', 'skipped', 'expired', 'played');

-- Small tables whose rows come and go.

-- What waits: a retry, a send_at, an unknown outcome, a place behind one of these.
CREATE TABLE deferred (
    lane            smallint NOT NULL,
    seq             bigint NOT NULL,
    notification_id uuid NOT NULL,
    -- As in the notification: whom it keeps waiting, and what may end its waiting.
    phone_number_id text NOT NULL,
    -- As in contact_address, by whose rows it is found.
    recipient       text COLLATE "C" NOT NULL,
    username        text,
    template        text NOT NULL,
    due_at          timestamptz NOT NULL,
    -- The attempt that is to be made; with the reason unknown or hold the one that was made.
    attempt         smallint NOT NULL,
    -- Refusals that count against the message; those of a stopped number do not.
    failures        smallint NOT NULL DEFAULT 0,
    -- send_at | quiet | retry | pair | unknown | hold | as_template | window | daily | behind | unreadable
    reason          text NOT NULL,
    PRIMARY KEY (lane, seq)
);
-- What is due of each priority and sending number: none waits behind what another has too much of.
CREATE INDEX deferred_due ON deferred ((lane / 64), phone_number_id, due_at);
CREATE INDEX deferred_reason ON deferred (reason, lane);
CREATE INDEX deferred_recipient ON deferred (recipient, reason);
CREATE INDEX deferred_username ON deferred (username, reason) WHERE username IS NOT NULL;
CREATE INDEX deferred_window ON deferred (template) WHERE reason = 'window';
-- What an operator decides, the oldest first.
CREATE INDEX deferred_unknown ON deferred (seq) WHERE reason IN ('unknown', 'hold');

CREATE TABLE host (
    id         uuid PRIMARY KEY,
    -- Machine and process, for people.
    name       text NOT NULL,
    -- Which process it is, for others on its machine.
    identity   text NOT NULL,
    -- The catalog's release that is live there.
    release    text,
    -- The program's version.
    version    text,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    -- How far its machine's clock is ahead of this one.
    clock_ahead_ms bigint NOT NULL DEFAULT 0
);

-- Who reads a lane, and until when.
CREATE TABLE lane (
    lane     smallint PRIMARY KEY,
    owner    uuid,
    deadline timestamptz NOT NULL DEFAULT '-infinity',
    -- The host that routes the lane; null where it gave the lane back properly.
    routed_by uuid
);
INSERT INTO lane (lane) SELECT generate_series(0, 63);

-- Up to here each notification of a lane and priority has an outcome or waits in deferred.
CREATE TABLE checkpoint (
    -- As in the notification log.
    lane smallint PRIMARY KEY,
    seq  bigint NOT NULL DEFAULT 0
);
INSERT INTO checkpoint (lane) SELECT generate_series(0, 191);

-- A dedupe key in force: the first decision that used it wins until it expires.
CREATE TABLE dedupe (
    template   text NOT NULL,
    key        text NOT NULL,
    event_lane smallint NOT NULL,
    event_seq  bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (template, key)
);
CREATE INDEX dedupe_expires_at ON dedupe (expires_at);

-- What is collected, to be told as one message. A digest that closes becomes an event.
CREATE TABLE digest (
    -- The id of the event that it becomes: the log's key keeps it from closing twice.
    id       uuid PRIMARY KEY,
    template text NOT NULL,
    -- A hash over whom it is for.
    key      text COLLATE "C" NOT NULL,
    -- The first decision that was collected, as JSON.
    decision text NOT NULL,
    due_at   timestamptz NOT NULL,
    -- One is open at a time.
    UNIQUE (template, key)
);
CREATE INDEX digest_due_at ON digest (due_at);

CREATE TABLE digest_item (
    digest_id  uuid NOT NULL REFERENCES digest (id) ON DELETE CASCADE,
    -- The decision that was collected.
    lane       smallint NOT NULL,
    event_seq  bigint NOT NULL,
    ordinal    smallint NOT NULL,
    -- The template's variables, as JSON.
    context    text NOT NULL,
    -- In the order in which they are told.
    PRIMARY KEY (digest_id, event_seq, lane, ordinal)
);
CREATE INDEX digest_item_event ON digest_item (lane, event_seq);

-- Events that routing has passed by and is not done with: they wait for a plugin, or behind an event of their subject
-- that does; a host died while they were decided; or they tell so many people that it is done page by page.
CREATE TABLE unfinished (
    lane         smallint NOT NULL,
    event_seq    bigint NOT NULL,
    -- -1 while the event is not decided, then the decision whose people are told page by page.
    ordinal      smallint NOT NULL,
    -- The last member of its groups who was told; members are told in the order of their ids.
    member       bigint NOT NULL DEFAULT 0,
    -- How many of those whom it names itself were told; null while members are left.
    named        integer,
    -- The host that is at it now, and whether it is at nothing else of this kind.
    host         uuid,
    alone        boolean NOT NULL DEFAULT false,
    -- How often a host died while it was at it, and how often while it was at nothing else.
    deaths       smallint NOT NULL DEFAULT 0,
    alone_deaths smallint NOT NULL DEFAULT 0,
    since        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, event_seq, ordinal)
);
-- What a host is at: little of what waits.
CREATE INDEX unfinished_host ON unfinished (host) WHERE host IS NOT NULL;
CREATE INDEX unfinished_spread ON unfinished (lane, event_seq, ordinal) WHERE ordinal >= 0;

-- Events that a plugin failed on: kept until `hookswitch plugin resume` has them decided again.
CREATE TABLE parked (
    lane      smallint NOT NULL,
    event_seq bigint NOT NULL,
    -- Of the decision that says so.
    ordinal   smallint NOT NULL,
    plugin    text NOT NULL,
    -- Whether it is to be decided again.
    due       boolean NOT NULL DEFAULT false,
    parked_at timestamptz NOT NULL DEFAULT now(),
    -- As in unfinished: who decides it again, and how often a host died meanwhile.
    host         uuid,
    alone        boolean NOT NULL DEFAULT false,
    deaths       smallint NOT NULL DEFAULT 0,
    alone_deaths smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (lane, event_seq, ordinal)
);
-- Each plugin's, those first that are not due.
CREATE INDEX parked_plugin ON parked (plugin, due, event_seq, ordinal);
CREATE INDEX parked_host ON parked (host) WHERE host IS NOT NULL;

-- One row: when Meta's webhooks came, and when some were refused for their signature.
CREATE TABLE webhook (
    id          smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    accepted_at timestamptz,
    refused_at  timestamptz,
    refused     bigint NOT NULL DEFAULT 0
);
INSERT INTO webhook DEFAULT VALUES;

-- Our templates at Meta: which words a version has, where it stands, and which version is in use. Rows are appended and
-- never updated: the highest ordinal counts, and the key keeps two hosts from writing the same change twice.

CREATE TABLE meta_template (
    -- Meta's name, with the version at its end, such as order_created_v2.
    name     text NOT NULL,
    language text NOT NULL,
    -- A hash over body, footer and buttons.
    wording  text NOT NULL,
    -- The template's name in the catalog.
    template text NOT NULL,
    -- The template's file as it was then: what its parameters are made from.
    source   text NOT NULL,
    -- A template that was made by hand at Meta may name its parameters: in their order, with spaces between.
    parameter_names text NOT NULL DEFAULT '',
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, language, wording)
);

CREATE TABLE meta_template_status (
    name     text NOT NULL,
    language text NOT NULL,
    ordinal  integer NOT NULL,
    -- Meta's words: APPROVED, PENDING, REJECTED, PAUSED, DISABLED, …
    status   text NOT NULL,
    category text,
    reason   text,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, language, ordinal)
);

CREATE TABLE meta_template_switch (
    -- The template's name in the catalog.
    template    text NOT NULL,
    language    text NOT NULL,
    ordinal     integer NOT NULL,
    -- Null where no version may be sent any more.
    name        text,
    switched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (template, language, ordinal)
);

-- The system's own events, and dead letters.

-- Failures that nobody was told of yet. Filled by the statement that appends the failure, so that a crash loses none;
-- emptied by the statement that appends the event `message.failed`.
CREATE TABLE failure (
    notification_id uuid NOT NULL,
    attempt         smallint NOT NULL,
    code            integer,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notification_id, attempt)
);
-- By cause: those of one that was told just now keep no other from being told.
CREATE INDEX failure_cause_at ON failure ((coalesce(code, -1)), at);

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

-- Ids of the system's own events that other events had, which should not be: the check tells of them.
CREATE TABLE own_clash (
    id     text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, source)
);
CREATE INDEX own_clash_at ON own_clash (at, id);

-- What an operator did about messages that failed. The key lets each be done once.
CREATE TABLE dead_letter (
    notification_id uuid PRIMARY KEY,
    -- The new message, where it was redriven; null where it was discarded.
    redriven_as     uuid UNIQUE,
    reason          text,
    at              timestamptz NOT NULL DEFAULT now()
);

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
-- After a failover or a restore a log may have lost its end: its next numbers must not be those of the rows that hosts
-- remember. Under the log's lock, so that nobody draws one meanwhile.
CREATE FUNCTION skip_seqs(lock bigint, log text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    seqs text := pg_get_serial_sequence(CASE log WHEN 'event' THEN 'event' ELSE 'notification' END, 'seq');
BEGIN
    PERFORM pg_advisory_xact_lock(lock);
    RETURN setval(seqs, nextval(seqs) + 1000000);
END
$$;
REVOKE EXECUTE ON FUNCTION prune_events, prune_deliveries, skip_seqs FROM PUBLIC;
