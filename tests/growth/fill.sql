-- A database as it is after some months: a million rows in each log, a campaign of 300,000 messages that wait, and
-- much of all else that may grow. One transaction, so that now() is one time.

SET LOCAL synchronous_commit = off;
SET LOCAL maintenance_work_mem = '256MB';
SET LOCAL work_mem = '128MB';
CREATE SCHEMA sample;

-- The time of the nth of a million.
CREATE FUNCTION sample.at(n bigint, since timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
AS $$ SELECT since + n * interval '2.592 s' $$;
-- A UUID of version 7 begins with the time.
CREATE FUNCTION sample.uuid(n bigint, since timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM sample.at(n, since)) * 1000)::bigint), 12, '0') || '70008'
            || lpad(to_hex(n), 15, '0'))::uuid
$$;
CREATE FUNCTION sample.number(n bigint) RETURNS text LANGUAGE sql IMMUTABLE
AS $$ SELECT '2637' || lpad(n::text, 8, '0') $$;

-- 300,000 users, of whom 100,000 are staff in 50,000 groups, one of which has 10,000 members.

ALTER TABLE contact DISABLE TRIGGER contact_added;
INSERT INTO contact (wa_id, user_id, name, last_inbound_at)
SELECT sample.number(n), CASE WHEN n % 3 = 0 THEN 'US.' || n END, 'Name ' || n,
       CASE WHEN n % 2 = 0 THEN now() - n % 86400 * interval '60 s' END
FROM generate_series(1, 300000) AS n;
ALTER TABLE contact ENABLE TRIGGER contact_added;
INSERT INTO contact_address (address, contact_id) SELECT wa_id, id FROM contact ORDER BY wa_id;
INSERT INTO contact_address (address, contact_id) SELECT user_id, id FROM contact WHERE user_id IS NOT NULL;
INSERT INTO person (username, name, active, contact_id, quiet_from, quiet_until, time_zone)
SELECT 'user' || n, 'Name ' || n, n % 50 <> 0, CASE WHEN n % 20 <> 0 THEN n END,
       CASE WHEN n % 4 = 0 THEN time '21:00' END, CASE WHEN n % 4 = 0 THEN time '06:00' END,
       CASE WHEN n % 4 = 0 THEN 'Africa/Harare' END
FROM generate_series(1, 100000) AS n;
INSERT INTO groups (name) SELECT 'group' || n FROM generate_series(1, 50000) AS n;
INSERT INTO membership (group_id, person_id) SELECT 1, n FROM generate_series(1, 10000) AS n;
INSERT INTO membership (group_id, person_id)
SELECT 2 + (n * 7 + i * 13) % 49999, n FROM generate_series(1, 100000) AS n, generate_series(1, 2) AS i
ON CONFLICT DO NOTHING;
INSERT INTO opt_out (contact_id, scope, source, at, came_back, message_ids)
SELECT n * 5, CASE WHEN n % 2 = 0 THEN 'all' ELSE 'marketing' END, 'wrote STOP', now(), n % 3 = 0, '{m}'
FROM generate_series(1, 60000) AS n;
INSERT INTO number_window (contact_id, phone_number_id, last_inbound_at)
SELECT n, '1001', now() FROM generate_series(1, 100000) AS n;
INSERT INTO daily_user (recipient, at)
SELECT sample.number(n), now() - n * interval '0.8 s' FROM generate_series(1, 100000) AS n;

-- A million events, of which 100,000 are not routed yet.

INSERT INTO event (lane, id, source, type, subject, time, data, sha256, received_at)
SELECT n % 64, 'order-' || n, CASE WHEN n % 100 = 77 THEN '/hookswitch/whatsapp' ELSE '/shop' END,
       CASE WHEN n % 100 = 77 THEN 'message.received' ELSE 'order.created' END, 'customer-' || n % 200000,
       sample.at(n, now() - interval '30 days'),
       CASE WHEN n % 100 = 77 THEN '{"media":{"id":"' || n || '"}}' ELSE '{"order":' || n || '}' END, decode(md5(n::text) || md5(n::text), 'hex'), sample.at(n, now() - interval '30 days')
FROM generate_series(1, 1000000) AS n;
INSERT INTO decision (lane, event_seq, ordinal, outcome, engine, rule, release, decision, decided_at)
SELECT n % 64, n, 0, CASE n % 10 WHEN 3 THEN 'failed' WHEN 5 THEN 'no_route' ELSE 'notify' END, 'route', 'routes.yaml:3', 'abc', '{"template":"order_created"}',
       sample.at(n, now() - interval '30 days')
FROM generate_series(1, 900000) AS n;

-- A million messages: one of each event, and ten events that told 10,000 people each. 300,000 are bulk and wait.

INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, username, name, recipient, phone_number_id, template,
    priority, message, reason, created_at, key)
SELECT (hashint4(k) & 63) + 64 * priority, sample.uuid(n, now() - interval '30 days'), seq % 64, seq, 0,
       CASE WHEN n % 4 = 0 THEN 'user' || k END, 'Name ' || k, sample.number(k), '100' || 1 + n % 2,
       CASE WHEN n % 100000 = 7 THEN 'seldom' ELSE 'template' || n % 20 END, priority,
       '{"mode":"auto","template":"order","language":"en_US","body":"Your order is on its way.","parameters":["' || n || '"]}', 'is the customer',
       sample.at(n, now() - interval '30 days'), CASE WHEN n % 3 < 2 THEN 'key' || n END
FROM (
    SELECT n, CASE WHEN n > 900000 THEN 1000 * (n % 10) + 1 ELSE n END AS seq,
           CASE WHEN n % 4 = 0 THEN 1 + n % 100000 ELSE 1 + n * 31 % 300000 END AS k,
           CASE WHEN n % 20 = 0 THEN 0 WHEN n % 10 IN (1, 3, 7) THEN 2 ELSE 1 END AS priority
    FROM generate_series(1, 1000000) AS n
) AS n;
UPDATE checkpoint SET seq = coalesce((SELECT max(n.seq) FROM notification n WHERE n.lane = checkpoint.lane), 0)
WHERE lane < 128;

-- 200,000 wait for something, nearly all of them until later; of the others, one in ten failed, and of these most are
-- done with.

INSERT INTO deferred (lane, seq, notification_id, phone_number_id, recipient, username, template, due_at, attempt, reason)
SELECT lane, seq, id, phone_number_id, recipient, username, template, now() + (seq % 5000 - 100) * interval '10 s', 1,
       CASE WHEN r < 40 THEN 'behind' WHEN r < 60 THEN 'window' WHEN r < 70 THEN 'retry' WHEN r < 80 THEN 'quiet'
            WHEN r < 90 THEN 'send_at' WHEN r < 95 THEN 'daily' WHEN r < 96 THEN 'pair' WHEN r < 97 THEN 'unknown'
            WHEN r < 98 THEN 'hold' WHEN r < 99 THEN 'as_template' ELSE 'unreadable' END
FROM (SELECT *, seq / 20 % 100 AS r FROM notification WHERE seq % 10 IN (4, 6)) AS n;
UPDATE deferred SET reason = 'stopped', stopped_by = 'template template' || seq % 7 WHERE reason = 'quiet' AND seq % 20 = 4;
INSERT INTO switch (kind, name, mode, reason, stopped_by)
SELECT 'template', 'template' || n, CASE n WHEN 5 THEN 'resuming' ELSE 'held' END, 'why', 'ops'
FROM generate_series(0, 6) AS n
UNION ALL VALUES ('rule', 'rules.yaml', 'held', 'why', 'ops'), ('plugin', 'plugin1', 'held', 'why', 'ops'),
                 ('group', 'group7', 'held', 'why', 'ops'), ('person', 'nobody', 'dropped', 'why', 'ops');
INSERT INTO secret (notification_id, message) SELECT notification_id, '{}' FROM deferred LIMIT 60000;
ALTER TABLE delivery DISABLE TRIGGER delivery_failed;
INSERT INTO delivery (notification_id, attempt, status, at, detail)
SELECT notification_id, 1, CASE reason WHEN 'unknown' THEN 'unknown' WHEN 'retry' THEN 'retrying' ELSE 'deferred' END
           ::delivery_status, now(), 'waits'
FROM deferred ORDER BY 1;
INSERT INTO delivery (notification_id, attempt, status, at, wamid, code, detail)
SELECT n.id, 1, s.status, n.created_at + interval '1 s', 'wamid.' || n.seq,
       CASE s.status WHEN 'failed' THEN 131026 END, CASE s.status WHEN 'failed' THEN 'not on WhatsApp' END
FROM notification n
CROSS JOIN LATERAL unnest(CASE WHEN n.seq % 10 = 2 THEN '{accepted,failed}' ELSE '{accepted,read}' END::delivery_status[])
    AS s (status)
WHERE n.priority < 2 AND n.seq % 10 NOT IN (4, 6)
ORDER BY n.seq;
ALTER TABLE delivery ENABLE TRIGGER delivery_failed;
INSERT INTO unresolved_failure (notification_id, attempt, at, code, template)
SELECT d.notification_id, d.attempt, d.at, d.code, n.template
FROM delivery d JOIN notification n ON n.id = d.notification_id WHERE d.status = 'failed' ORDER BY d.at;
INSERT INTO dead_letter (notification_id, reason, at)
SELECT id, 'seen', now() FROM notification WHERE seq % 50 IN (2, 12, 22);
INSERT INTO operator_action (at, who, way, action, what, count)
SELECT now() - make_interval(mins => 60001 - n), 'key' || n % 20, 'api', 'failed.discard', '{"code":131026}', 1
FROM generate_series(1, 60000) AS n;
INSERT INTO operator_action_message (notification_id, action_id)
SELECT notification_id, 1 + row_number() OVER () % 60000 FROM dead_letter;
INSERT INTO job (id, filter, state, rate, total, ended_at)
SELECT id, '{}', CASE WHEN id % 30000 = 0 THEN 'running' ELSE 'done' END, 20, 1, at FROM operator_action;
INSERT INTO failure (notification_id, attempt, code, at)
SELECT notification_id, attempt, code, now() - interval '5 s' FROM delivery WHERE status = 'failed' LIMIT 60000;
INSERT INTO release_file (sha256, size, content)
SELECT sha256(convert_to(n::text, 'UTF8')), 1, 'x' FROM generate_series(1, 60000) AS n;
INSERT INTO release (id, created_at, created_by, verdict, outline)
SELECT 'r' || n, now() - make_interval(hours => 1001 - n), 'ops', '{"state":"passed","cases":1,"warnings":0,"findings":[]}',
       '{"routes":{},"templates":{},"plugins":{},"groups":{}}'
FROM generate_series(1, 1000) AS n;
INSERT INTO release_content (release, path, sha256)
SELECT 'r' || (1 + n % 1000), 'rules/' || n || '.yaml', sha256(convert_to(n::text, 'UTF8'))
FROM generate_series(1, 60000) AS n;
INSERT INTO activation (at, release, who, way, forced, share_release, share_lanes, share_forced)
SELECT now() - make_interval(mins => 2001 - n), 'r' || (1 + n % 1000), 'ops', 'activate', false,
       CASE WHEN n % 2 = 0 THEN 'r' || (1 + (n + 1) % 1000) END, CASE WHEN n % 2 = 0 THEN 6 END,
       CASE WHEN n % 2 = 0 THEN false END
FROM generate_series(1, 2000) AS n;
INSERT INTO failure_cause (cause, told_at) VALUES ('131026', now() - interval '2 minutes');

-- All else.

INSERT INTO dedupe (template, key, event_lane, event_seq, expires_at)
SELECT 'template' || n % 20, 'key' || n, n % 64, n, now() + (n - 1000) * interval '10 s'
FROM generate_series(1, 200000) AS n;
INSERT INTO withdrawal (key, event_seq, reason, at)
SELECT 'key' || n, n + 5, 'cancelled by event 7', sample.at(n, now() - interval '30 days')
FROM generate_series(1, 1000000, 5) AS n;
INSERT INTO digest (id, template, key, decision, due_at)
SELECT sample.uuid(n, now()), 'template' || n % 20, 'key' || n, '{"template":"digest"}', now() + (n - 50) * interval '1 s'
FROM generate_series(1, 60000) AS n;
INSERT INTO digest_item (digest_id, lane, event_seq, ordinal, context)
SELECT sample.uuid(1 + n % 60000, now()), n % 64, n, 0, '{}' FROM generate_series(1, 200000) AS n;
INSERT INTO unfinished (lane, event_seq, ordinal, host)
SELECT n % 64, 800000 + n, CASE WHEN n % 1000 = 0 THEN 0 ELSE -1 END,
       CASE WHEN n % 3000 = 0 THEN '00000000-0000-0000-0000-000000000001'::uuid END
FROM generate_series(1, 60000) AS n;
INSERT INTO parked (lane, event_seq, ordinal, plugin, due, parked_at, stopped)
SELECT n % 64, 600000 + n, 0, 'plugin' || n % 3, n % 3 = 0, now(), n % 4 = 1 FROM generate_series(1, 100000) AS n;
INSERT INTO schedule_slot (schedule, slot, outcome, cron)
SELECT 'schedule' || n % 20, now() - n / 20 * interval '1 minute', 'fired', '* * * * *'
FROM generate_series(1, 100000) AS n;
INSERT INTO template_day (template, day, sent, delivered, read, failed)
SELECT 'template' || n % 200, current_date - n / 200, n % 1000, n % 900, n % 700, n % 20
FROM generate_series(0, 79999) AS n;
INSERT INTO own_clash (id, source, at)
SELECT 'digest-' || n, '/hookswitch', now() - n * interval '1 minute' FROM generate_series(1, 60000) AS n;
INSERT INTO shadow (who, release, live, activation, lanes, until, places, totals, report, memory, ended_by, ended_at)
SELECT 'ops', 'r' || n % 50, 'r1', n, 64, now(), sample_places.places, '{}', '{}', '{}', 'time', now()
FROM generate_series(1, 1000) AS n, (SELECT array_agg(0::bigint) AS places FROM generate_series(1, 64)) AS sample_places;
INSERT INTO shadow_difference (shadow, lane, event_seq, found)
SELECT 1 + n % 100, n % 64, 800000 + n, '{}' FROM generate_series(1, 100000) AS n;
INSERT INTO host (id, name, identity, release, version)
VALUES ('00000000-0000-0000-0000-000000000001', 'host:1', '1', 'abc', '0.1.0');

UPDATE lane SET owner = '00000000-0000-0000-0000-000000000001', routed_by = '00000000-0000-0000-0000-000000000001';

-- What the statements are executed with.

CREATE TABLE sample.picked AS SELECT * FROM notification WHERE seq IN (SELECT 17003 * n + 4 FROM generate_series(1, 50) AS n);
CREATE TABLE sample.newest AS SELECT id, 1000001 - seq AS place FROM notification WHERE seq = 999001;
CREATE TABLE sample.digest AS SELECT id FROM digest ORDER BY due_at LIMIT 50;

CREATE FUNCTION sample.host() RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT '00000000-0000-0000-0000-000000000001'::uuid $$;
CREATE FUNCTION sample.first() RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT '00000000-0000-0000-0000-000000000000'::uuid $$;
CREATE FUNCTION sample.newest(most bigint) RETURNS uuid LANGUAGE sql STABLE
AS $$ SELECT id FROM sample.newest WHERE place = most $$;
CREATE FUNCTION sample.incarnation() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT extract(epoch FROM pg_postmaster_start_time())::text $$;
CREATE FUNCTION sample.lanes() RETURNS smallint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(n::smallint) FROM generate_series(0, 63) AS n $$;
CREATE FUNCTION sample.all_lanes(value anyelement) RETURNS anyarray LANGUAGE sql STABLE
AS $$ SELECT array_agg(value) FROM generate_series(0, 63) $$;
CREATE FUNCTION sample.cursors() RETURNS bigint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(900000::bigint) FROM generate_series(0, 63) $$;
CREATE FUNCTION sample.tracks() RETURNS smallint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(n::smallint) FROM generate_series(0, 191) AS n $$;
CREATE FUNCTION sample.zeros() RETURNS bigint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(500000::bigint) FROM generate_series(0, 191) $$;
CREATE FUNCTION sample.seqs() RETURNS bigint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(seq ORDER BY seq) FROM sample.picked $$;
CREATE FUNCTION sample.event_lanes() RETURNS smallint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg((seq % 64)::smallint ORDER BY seq) FROM sample.picked $$;
CREATE FUNCTION sample.message_lanes() RETURNS smallint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(lane ORDER BY seq) FROM sample.picked $$;
CREATE FUNCTION sample.ids() RETURNS uuid[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(id ORDER BY seq) FROM sample.picked $$;
CREATE FUNCTION sample.recipients() RETURNS text[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(recipient ORDER BY seq) FROM sample.picked $$;
CREATE FUNCTION sample.usernames() RETURNS text[] LANGUAGE sql STABLE
AS $$ SELECT array_agg('user' || 1571 * n ORDER BY n) FROM generate_series(1, 50) AS n $$;
CREATE FUNCTION sample.contacts() RETURNS bigint[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(3571::bigint * n ORDER BY n) FROM generate_series(1, 50) AS n $$;
CREATE FUNCTION sample.texts(word text) RETURNS text[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(word || n ORDER BY n) FROM generate_series(1, 50) AS n $$;
CREATE FUNCTION sample.digests() RETURNS uuid[] LANGUAGE sql STABLE AS $$ SELECT array_agg(id) FROM sample.digest $$;
CREATE FUNCTION sample.all_of(value anyelement) RETURNS anyarray LANGUAGE sql STABLE
AS $$ SELECT array_agg(value) FROM generate_series(1, 50) $$;
CREATE FUNCTION sample.new_ids() RETURNS uuid[] LANGUAGE sql VOLATILE
AS $$ SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 50) $$;
