-- Values that must not stay, such as one-time codes: the logs have them hidden, and only this table has the messages
-- with them, until they are settled.

CREATE TABLE secret (
    notification_id uuid PRIMARY KEY,
    -- As in the notification, with its values.
    message         text NOT NULL
);

-- Hides values in an event's copy. A host cannot rewrite the log by this: it names only the places, each with its first
-- character, from 0, and its length, of an event whose data has this size. Of an event that was changed meanwhile nothing is
-- hidden: it was erased.
CREATE FUNCTION hide_in_event(
    of_lane smallint, of_seq bigint, size integer, places integer[], with_subject boolean, with_extensions boolean
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    hidden text := (SELECT data FROM event WHERE lane = of_lane AND seq = of_seq AND char_length(data) = size);
BEGIN
    -- From the last place to the first: those before it stay where they are.
    FOR i IN REVERSE cardinality(places) / 2 .. 1 LOOP
        hidden := overlay(hidden PLACING '"••••••"' FROM places[2 * i - 1] + 1 FOR places[2 * i]);
    END LOOP;
    UPDATE event SET
        data = hidden,
        subject = CASE WHEN with_subject THEN '••••••' ELSE subject END,
        extensions = CASE WHEN with_extensions THEN NULL ELSE extensions END
    WHERE lane = of_lane AND seq = of_seq AND hidden IS NOT NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION hide_in_event FROM PUBLIC;

-- Languages in which people and contacts read, as Meta writes them (pt_BR): they pick the variant of a template.
ALTER TABLE person ADD COLUMN language text;
ALTER TABLE contact ADD COLUMN language text;

-- Hosts run before deploy/roles.sql is run again: routing must not wait for it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hookswitch') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON secret TO hookswitch;
        GRANT EXECUTE ON FUNCTION hide_in_event TO hookswitch;
    END IF;
END
$$;
