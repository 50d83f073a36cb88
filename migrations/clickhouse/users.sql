-- Accounts with the least each needs. Run once as an administrator, in clickhouse-client, with the passwords given:
--   clickhouse-client --param_writer='…' --param_reader='…' --param_migrator='…' --queries-file users.sql
-- The embedded engine (chDB) has no accounts; there the directory's file permissions decide.
-- Afterwards take the rights of the account `default` away, or its password at least.

CREATE ROLE IF NOT EXISTS dataproc_writer;
CREATE ROLE IF NOT EXISTS dataproc_reader;
CREATE ROLE IF NOT EXISTS dataproc_migrator;

-- The services: they read what they wrote and add to it; they never alter, drop or delete.
GRANT SELECT, INSERT ON dataproc.* TO dataproc_writer;
GRANT CREATE TEMPORARY TABLE ON *.* TO dataproc_writer;
REVOKE INSERT ON dataproc.schema_migrations FROM dataproc_writer;

-- Gateways and people: they read what is served, and can't wear the server out.
GRANT SELECT ON dataproc.served_market_ticks_latest TO dataproc_reader;
GRANT SELECT ON dataproc.served_market_ticks TO dataproc_reader;
GRANT SELECT ON dataproc.served_latest TO dataproc_reader;
GRANT SELECT ON dataproc.served_curve_snapshots TO dataproc_reader;
GRANT SELECT ON dataproc.silver_ticks TO dataproc_reader;

-- The migration job alone changes tables.
GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW, ALTER, DROP VIEW ON dataproc.* TO dataproc_migrator;
GRANT SELECT, INSERT ON dataproc.* TO dataproc_migrator;
GRANT SELECT ON system.tables TO dataproc_migrator;

CREATE SETTINGS PROFILE IF NOT EXISTS dataproc_writing
    SETTINGS max_execution_time = 300, max_memory_usage = 8000000000, max_partitions_per_insert_block = 100
    TO dataproc_writer;

CREATE SETTINGS PROFILE IF NOT EXISTS dataproc_reading
    SETTINGS readonly = 2, max_execution_time = 10, max_memory_usage = 2000000000, max_result_rows = 1000000
    TO dataproc_reader;

CREATE QUOTA IF NOT EXISTS dataproc_reading
    FOR INTERVAL 1 minute MAX queries = 6000, execution_time = 120
    TO dataproc_reader;

CREATE USER IF NOT EXISTS proc_writer IDENTIFIED WITH sha256_password BY {writer:String} DEFAULT ROLE dataproc_writer;
CREATE USER IF NOT EXISTS proc_reader IDENTIFIED WITH sha256_password BY {reader:String} DEFAULT ROLE dataproc_reader;
CREATE USER IF NOT EXISTS proc_migrator IDENTIFIED WITH sha256_password BY {migrator:String} DEFAULT ROLE dataproc_migrator;

GRANT dataproc_writer TO proc_writer;
GRANT dataproc_reader TO proc_reader;
GRANT dataproc_migrator TO proc_migrator;
