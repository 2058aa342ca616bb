-- Three roles with least rights. Run it in Hookswitch's database as a superuser before the first migration, and
-- after each migration once more, as hookswitch_owner or a superuser. Running it again changes nothing.
--
--   hookswitch_owner     owns the tables: `hookswitch migrate`, backups, erasing people (`hookswitch people forget`)
--   hookswitch           `hookswitch serve` and the operator's commands: reads all, appends to the logs, changes
--                        people and work, drops what is older than a day at least; cannot rewrite history, nor
--                        change a table
--   hookswitch_readonly  reports: reads all but the hashes of API keys
--
-- There are no passwords here. Where hosts log in with one: \password ROLE, in psql.

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['hookswitch_owner', 'hookswitch', 'hookswitch_readonly'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);
        END IF;
    END LOOP;

    -- Who owns the database owns its schema public, by PostgreSQL's role pg_database_owner.
    IF (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) <> 'hookswitch_owner' THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO hookswitch_owner', current_database());
    END IF;
    -- So that `hookswitch check` sees whose transaction is open for long.
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        GRANT pg_read_all_stats TO hookswitch;
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO hookswitch, hookswitch_readonly', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO hookswitch, hookswitch_readonly;

-- A host can read and append to what a migration creates, before this script is run again; more only by its name, below.
-- Reports see it afterwards: not everything is for them.
ALTER DEFAULT PRIVILEGES FOR ROLE hookswitch_owner IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO hookswitch;

GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO hookswitch;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO hookswitch_readonly;

DO $$
DECLARE
    changing text;
BEGIN
    -- The tables whose rows change or go. What is not named stays append-only: event, decision, notification,
    -- delivery, dead_letter, releases and their activations, and what is known of templates at Meta.
    FOREACH changing IN ARRAY ARRAY[
        'contact', 'contact_address', 'person', 'groups', 'membership', 'api_key',
        'deferred', 'host', 'lane', 'checkpoint', 'dedupe', 'webhook', 'parked', 'unfinished',
        'failure', 'failure_cause', 'schedule_slot', 'own_clash', 'opt_out', 'number_window', 'daily_user',
        'digest', 'digest_item', 'rule_failure', 'job', 'console_session', 'tally', 'template_day', 'withdrawal',
        'uploaded_media', 'secret', 'unresolved_failure', 'replay', 'switch',
        'shadow', 'shadow_difference'
    ] LOOP
        IF to_regclass('public.' || changing) IS NOT NULL THEN
            EXECUTE format('GRANT UPDATE, DELETE ON public.%I TO hookswitch', changing);
        END IF;
    END LOOP;

    -- What is old a host may drop, by functions that leave the last day alone.
    IF to_regproc('public.prune_events') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION public.prune_events, public.prune_deliveries, public.skip_seqs TO hookswitch;
    END IF;

    -- Releases that were not active for long.
    IF to_regproc('public.prune_releases') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION public.prune_releases TO hookswitch;
    END IF;

    -- The number of messages that an action changed grows with it; who did it, when and what stays.
    IF to_regclass('public.operator_action') IS NOT NULL THEN
        GRANT UPDATE (count) ON public.operator_action TO hookswitch;
        GRANT EXECUTE ON FUNCTION public.prune_actions TO hookswitch;
    END IF;

    -- Which migrations were applied: only who applies them says so.
    IF to_regclass('public.refinery_schema_history') IS NOT NULL THEN
        REVOKE INSERT ON public.refinery_schema_history FROM hookswitch;
    END IF;

    IF to_regclass('public.console_session') IS NOT NULL THEN
        REVOKE SELECT ON public.console_session FROM hookswitch_readonly;
    END IF;

    -- Values that must not stay: reports have no use for them. A host hides them in an event, and can write nothing else there.
    IF to_regclass('public.secret') IS NOT NULL THEN
        REVOKE SELECT ON public.secret FROM hookswitch_readonly;
        GRANT EXECUTE ON FUNCTION public.hide_in_event TO hookswitch;
    END IF;

    IF to_regclass('public.api_key') IS NOT NULL THEN
        REVOKE SELECT ON public.api_key FROM hookswitch_readonly;
        GRANT SELECT (id, name, scopes, created_at, revoked_at) ON public.api_key TO hookswitch_readonly;
    END IF;
END
$$;
