-- Events of which no message came: of a mistyped type, of a rule that failed, of one that reached nobody, of a plugin.
INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
SELECT 0, e.id, '/shop', e.kind, now(), '{"name": "Eve"}', e.id::bytea, now() - interval '10 minutes'
FROM (VALUES ('e typo', 'guest.arived'), ('--e-failed', 'guest.arrived'), ('e$nobody', 'guest.left'), ('e-parked', 'guest.arrived'))
    AS e (id, kind);
INSERT INTO decision (lane, event_seq, ordinal, outcome, reason, engine, rule, release, decided_at)
SELECT 0, e.seq, 0, d.outcome, d.reason, 'route', d.rule, 'abc', now() - interval '10 minutes'
FROM event e JOIN (VALUES
    ('e typo', 'no_route', NULL, NULL),
    ('--e-failed', 'failed', 'guests/routes.yaml:1:90: unknown property', 'guests/routes.yaml:1'),
    ('e$nobody', 'nobody', 'the group Night Shift''s has no active members', 'guests/routes.yaml:2'),
    ('e-parked', 'parked', 'the plugin lamps failed', 'plugins/lamps/plugin.yaml:1'))
    AS d (id, outcome, reason, rule) ON d.id = e.id;
INSERT INTO parked (lane, event_seq, ordinal, plugin, parked_at)
SELECT lane, seq, 0, 'lamps', now() - interval '3 hours' FROM event WHERE id = 'e-parked';
-- What a script has decided, of a kind that no case shows.
INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
VALUES (0, 'e-room', '/shop', 'room.ready', now(), '{}', 'e-room', now() - interval '10 minutes');
INSERT INTO decision (lane, event_seq, ordinal, outcome, engine, rule, release, decision, decided_at)
SELECT lane, seq, 0, 'notify', 'script', 'guests/rooms.rhai:1', 'abc', '{"template": "greeting", "groups": ["Ops"]}', now()
FROM event WHERE id = 'e-room';
-- One that no host has routed.
INSERT INTO event (lane, id, source, type, time, data, sha256, received_at)
VALUES (1, 'e-late', '/shop', 'guest.arrived', now(), '{"name": "Eve"}', 'e-late', now() - interval '5 minutes');
-- Messages: failed lately, failed long ago, sent without an answer, refused as all are, and accepted.
INSERT INTO notification (lane, id, event_lane, event_seq, ordinal, recipient, phone_number_id, template, priority, message,
    reason, created_at)
SELECT 64, n.id, e.lane, e.seq, 0, '26377123456' || n.digit, '106540352242922', 'greeting', 1,
       '{"mode":"auto","body":"Good morning, Eve, this is a test.","template":"greeting","language":"en_US","parameters":["Eve"]}', 'is a guest', now() - interval '5 minutes'
FROM event e, (VALUES
    ('00000000-0000-7000-8000-000000000001'::uuid, 1), ('00000000-0000-7000-8000-000000000002', 2),
    ('00000000-0000-7000-8000-000000000003', 3), ('00000000-0000-7000-8000-000000000004', 4),
    ('00000000-0000-7000-8000-000000000005', 5)) AS n (id, digit)
WHERE e.id = 'e-room';
INSERT INTO delivery (notification_id, attempt, status, at, code, detail) VALUES
    ('00000000-0000-7000-8000-000000000001', 1, 'failed', now() - interval '1 hour', 131026, NULL),
    ('00000000-0000-7000-8000-000000000002', 1, 'failed', now() - interval '3 days', 131026, NULL),
    ('00000000-0000-7000-8000-000000000003', 1, 'unknown', now() - interval '1 hour', NULL, NULL),
    ('00000000-0000-7000-8000-000000000004', 1, 'retrying', now() - interval '1 hour', 131042, NULL),
    ('00000000-0000-7000-8000-000000000005', 1, 'accepted', now() - interval '1 hour', NULL, NULL);
INSERT INTO deferred (lane, seq, notification_id, phone_number_id, recipient, template, due_at, attempt, reason)
SELECT n.lane, n.seq, n.id, n.phone_number_id, n.recipient, n.template, now() + interval '1 day', d.attempt, d.reason
FROM notification n JOIN (VALUES
    ('00000000-0000-7000-8000-000000000003'::uuid, 1, 'hold'), ('00000000-0000-7000-8000-000000000004', 2, 'retry'))
    AS d (id, attempt, reason) ON d.id = n.id;
UPDATE checkpoint SET seq = (SELECT max(seq) FROM notification) WHERE lane = 64;
-- A schedule that no host fired, an id of the system's own that somebody took, webhooks of a stranger.
INSERT INTO schedule_slot (schedule, slot, outcome, cron)
VALUES ('nightly', date_trunc('hour', now()) - interval '5 hours', 'missed', '0 2 * * * UTC');
INSERT INTO own_clash (id, source) VALUES ('e-room', '/shop');
UPDATE webhook SET refused = 3, refused_at = now();
-- Other hosts, for a while: another program, another catalog, another clock.
INSERT INTO host (id, name, identity, release, version, clock_ahead_ms) VALUES
    ('00000000-0000-7000-8000-00000000000a', 'a:1', 'a', '0000000000aa', '0.0.8', 0),
    ('00000000-0000-7000-8000-00000000000b', 'b:1', 'b', '0000000000bb', '0.0.9', 60000);
