"""Kafka, ClickHouse, PostgreSQL and Redis as processes of this machine, where there is no Docker."""
