"""PostgreSQL and SQLite, through SQLAlchemy: reference data, policies, jobs; and the event log of one process."""
