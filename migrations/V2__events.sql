-- What became no message is found without knowing its id, rules that fail tell of it, and an event can be routed again.

-- How often its event had been routed whole before: a rerun numbers its decisions one higher. The last run counts.
ALTER TABLE decision ADD COLUMN run smallint NOT NULL DEFAULT 0;

-- The events of which no message came though somebody may have expected one, the newest last.
CREATE INDEX decision_without_message ON decision (outcome, event_seq, lane)
    WHERE outcome IN ('failed', 'no_route', 'nobody');

-- An event that is to be routed again has a row here as well, with an empty plugin.
COMMENT ON COLUMN parked.plugin IS 'empty where the whole event is routed again';

-- Rules that failed since rule.failed was last raised for them: a row for each rule, so that a rule that fails on every
-- event takes no more room than one that failed once. Filled by the transaction that records the failure.
CREATE TABLE rule_failure (
    -- file:line, or empty where no rule is to blame.
    rule      text COLLATE "C" PRIMARY KEY,
    count     bigint NOT NULL,
    -- The last failure.
    lane      smallint NOT NULL,
    event_seq bigint NOT NULL,
    reason    text NOT NULL,
    failed_at timestamptz NOT NULL,
    -- When rule.failed was last raised: once a minute at most.
    told_at   timestamptz
);

-- Hosts run before deploy/roles.sql is run again: routing must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON rule_failure TO hookswitch;
    END IF;
END
$$;
