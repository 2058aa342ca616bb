-- What became of the messages of each template, by day (of UTC): sums that hosts add to, so that no log is counted.
CREATE TABLE template_day (
    template  text COLLATE "C" NOT NULL,
    day       date NOT NULL,
    -- Accepted by Meta.
    sent      bigint NOT NULL,
    delivered bigint NOT NULL,
    read      bigint NOT NULL,
    -- Permanently, when it was sent or afterwards.
    failed    bigint NOT NULL,
    PRIMARY KEY (template, day)
);
CREATE INDEX template_day_day ON template_day (day);

-- Hosts run before deploy/roles.sql is run again: they must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON template_day TO hookswitch;
    END IF;
END
$$;
