-- The roles of an installation and what they may do with the database as such. Run it once, and
-- again after an upgrade that brings a service, as a superuser or as a role that may create roles,
-- connected to the installation's own database:
--
--   createdb --encoding=UTF8 --template=template0 --locale=C stoa
--   psql --dbname=stoa --set=ON_ERROR_STOP=1 --file=roles.sql
--
-- It can be run again at any time. It sets no passwords.
--
-- stoa_owner owns the schemas; only `stoa migrate` logs in with it. Every service has a role of its
-- own; `stoa migrate` (setting `migrate.role_prefix = "stoa_"`) gives it rights on its own schema,
-- and none to create, change or drop anything.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'stoa_owner',
        'stoa_auth',
        'stoa_users',
        'stoa_listings',
        'stoa_transactions',
        'stoa_event_log'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS',
            name
        );
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        -- A connection that was forgotten inside a transaction would hold its locks for ever.
        EXECUTE format(
            'ALTER ROLE %I IN DATABASE %I SET idle_in_transaction_session_timeout = ''60s''',
            name, current_database()
        );
    END LOOP;

    -- Nobody else connects, and nobody but the owner makes anything: no temporary tables, nothing
    -- in the schema that every role can reach.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CREATE ON DATABASE %I TO stoa_owner', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
END
$$;
