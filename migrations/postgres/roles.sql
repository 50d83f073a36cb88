-- Roles of the reference database, each with no more than it needs. Run by a superuser after `dataproc migrate up`, with
-- psql or any client; running it again changes nothing. Logins are made by whoever runs the database and granted a role:
--     CREATE ROLE enrichment LOGIN PASSWORD '…' IN ROLE enrich_ro;
--
--     reference_ro   every service: feeds, price limits and what has been migrated
--     enrich_ro      enrichment: the same, and what instruments are
--     epoch_rw       a service that marks its logic epoch here
--     jobs_rw        whoever runs jobs
--     reference_rw   `dataproc reference load`
--     migrator       `dataproc migrate`: owns the tables

DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['reference_ro', 'enrich_ro', 'epoch_rw', 'jobs_rw', 'reference_rw', 'migrator'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
    END IF;
  END LOOP;
  -- Of the database, for a login does not inherit settings of the roles it is in. A migration lifts the first for itself.
  EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''5s''', current_database());
  EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = ''30s''', current_database());
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO reference_ro, enrich_ro, epoch_rw, jobs_rw, reference_rw;
GRANT ALL ON SCHEMA public TO migrator;

GRANT SELECT ON alembic_version, feed_policies, quality_policies, calendars, logic_epochs, reference_loads
  TO reference_ro, enrich_ro, epoch_rw, jobs_rw, reference_rw;
GRANT SELECT ON taxonomy_instruments, taxonomy_regions, taxonomy_markets, instrument_aliases,
  curve_metadata, curve_legs, spread_definitions TO enrich_ro, reference_rw;
GRANT INSERT ON logic_epochs TO epoch_rw;
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs, job_chunks TO jobs_rw;
GRANT INSERT, UPDATE, DELETE ON taxonomy_instruments, taxonomy_regions, taxonomy_markets, instrument_aliases,
  feed_policies, quality_policies, calendars, curve_metadata, curve_legs, spread_definitions TO reference_rw;
GRANT INSERT ON reference_loads TO reference_rw;

DO $$
DECLARE
  made record;
BEGIN
  FOR made IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER TABLE public.%I OWNER TO migrator', made.tablename);
  END LOOP;
END $$;
