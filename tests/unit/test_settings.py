from pathlib import Path
from typing import Any

import attrs
import pytest

from entrypoints.settings import BadSettings, Settings, variable


def read(**given: str) -> Settings:
    return Settings.from_environment({f"DATA_PROC_{name}": value for name, value in given.items()})


def problems(**given: str) -> list[str]:
    with pytest.raises(BadSettings) as told:
        read(**given)
    return told.value.problems


def test_without_variables_the_defaults_hold() -> None:
    found = Settings.from_environment({"PATH": "/bin", "DATA_PROC_SHARED": "somewhere"})
    assert found == Settings()
    assert (found.host, found.port, found.bar_intervals) == ("127.0.0.1", 8203, ("5m", "1h", "1d"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ENV", " production ", "production"),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("TRACE_ENABLED", "off", False),
        ("WIRE_BETWEEN_STAGES", "Yes", True),
        ("PORT", "0", 0),
        ("MAX_BATCH_SIZE", "5000", 5000),
        ("LINGER_S", "0.25", 0.25),
        ("BAR_INTERVALS", "1h, 5m,15m", ("5m", "15m", "1h")),
        ("LATENESS_S", "miso.lmp.rt=600, caiso.lmp.dam=7200.5", {"miso.lmp.rt": 600, "caiso.lmp.dam": 7200.5}),
        ("CLICKHOUSE_URL", "chdb:///data", "chdb:///data"),
        ("REDIS_URL", "rediss://cache:6380/1", "rediss://cache:6380/1"),
        ("REDIS_URL", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("POSTGRES_DSN", "postgresql:///d", "postgresql:///d"),
        ("POSTGRES_DSN", "postgresql://u:p/w#1@h/d", "postgresql://u:p/w#1@h/d"),
        ("KAFKA_SASL_MECHANISM", "scram-sha-256", "SCRAM-SHA-256"),
        ("KAFKA_GROUP_PROTOCOL", "Classic", "classic"),
        ("KAFKA_CA_PATH", "", ""),
        ("KAFKA_BOOTSTRAP", "a:9092, [::1]:9092,b", "a:9092, [::1]:9092,b"),
        ("POSTGRES_DSN", "postgres://u:pw@h/d", "postgres://u:pw@h/d"),
    ],
)
def test_a_variable_is_read_by_its_kind(name: str, text: str, value: Any) -> None:
    assert getattr(read(**{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("ENV", "  ", "must not be empty"),
        ("LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
        ("TRACE_ENABLED", "maybe", "must be true or false"),
        ("PORT", "65536", "must be a whole number from 0 to 65535"),
        ("PORT", "-1", "must be a whole number"),
        ("PORT", "٣", "must be a whole number"),
        ("MAX_BATCH_SIZE", "0", "must be a whole number from 1"),
        ("LINGER_S", "inf", "must be a number of seconds from 0 to 60"),
        ("LINGER_S", "61", "must be a number of seconds from 0 to 60"),
        ("BAR_INTERVALS", "7m", "does not divide"),
        ("BAR_INTERVALS", "", "is no interval"),
        ("LATENESS_S", "miso.lmp.rt", "must be feeds and seconds"),
        ("IDLE_S", "=5", "must be feeds and seconds"),
        ("IDLE_S", "a=5,a=6", "each feed once"),
        ("IDLE_S", "a=soon", "must be a number of seconds"),
        ("KEEP_DAYS", "silver_ticks", "must be tables and days"),
        ("KEEP_DAYS", "a=5,a=6", "each table once"),
        ("KEEP_DAYS", "a=0", "must be a whole number from 1 to 36500"),
        ("CLICKHOUSE_URL", "clickhouse:8123", "must begin with http://"),
        ("CLICKHOUSE_URL", "http", "must begin with http://"),
        ("CLICKHOUSE_URL", "http:///x", "must name a host, e.g. http://127.0.0.1"),
        ("CLICKHOUSE_URL", "http://h:notaport/x", "must name a port from 0 to 65535"),
        ("CLICKHOUSE_URL", "clickhouse://h:65536", "must name a port from 0 to 65535"),
        ("CLICKHOUSE_URL", "http://[h/x", "must name a port"),
        ("POSTGRES_DSN", "postgresql://h:x/d", "must name a port"),
        ("REDIS_URL", "redis://h:x/0", "must name a port"),
        ("SCHEMA_REGISTRY_URL", "https://", "must name a host"),
        ("TRACE_ENDPOINT", "collector:4318", "must begin with http://"),
        ("KAFKA_BOOTSTRAP", " ", "must be hosts and ports"),
        ("KAFKA_BOOTSTRAP", "a:9092,", "must be hosts and ports"),
        ("KAFKA_BOOTSTRAP", "a:b", "must name a port"),
        ("KAFKA_BOOTSTRAP", "kafka://a:9092", "must "),
        ("KAFKA_SASL_MECHANISM", "OAUTHBEARER", "no settings for an issuer of tokens"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI", "must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ("KAFKA_CA_PATH", "/nowhere/ca.pem", "must be a file that exists"),
        ("KAFKA_GROUP_PROTOCOL", "share", "must be one of consumer, classic"),
        ("KAFKA_BUDGET_BYTES", "1000", "must be a whole number from 1048576"),
        ("REFERENCE_DIR", "/nowhere/at/all", "must be a folder that exists"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_variable_and_value(name: str, text: str, told: str) -> None:
    (problem,) = problems(**{name: text})
    assert problem.startswith(f"DATA_PROC_{name}: ")
    assert told in problem


def test_a_folder_that_exists_is_taken(tmp_path: Path) -> None:
    assert read(REFERENCE_DIR=str(tmp_path)).reference_dir == tmp_path


def test_a_file_that_exists_is_taken(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert read(KAFKA_CA_PATH=f" {ca} ").kafka_ca_path == str(ca)


def test_settings_that_can_not_be_together_are_told_with_all_others(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    told = problems(
        KAFKA_SECURITY_PROTOCOL="sasl_ssl", KAFKA_USERNAME="me", KAFKA_KEY_PATH=str(key),
        KAFKA_GROUP_PROTOCOL="classic", KAFKA_POLL_WITHIN_S="5", KILLPOINT="kept:1", PORT="x",
    )  # fmt: skip
    assert [problem.split(":")[0] for problem in told] == [
        "DATA_PROC_PORT",
        "DATA_PROC_KILLPOINT",
        "DATA_PROC_KAFKA_SECURITY_PROTOCOL",
        "DATA_PROC_KAFKA_CERTIFICATE_PATH and DATA_PROC_KAFKA_KEY_PATH",
        "DATA_PROC_KAFKA_POLL_WITHIN_S",
    ]


def test_passwords_at_kafka_are_not_shown() -> None:
    assert "hunter2" not in repr(read(**dict.fromkeys(("KAFKA_PASSWORD", "KAFKA_KEY_PASSWORD"), "hunter2")))


def test_days_are_read_by_table() -> None:
    assert read(KEEP_DAYS="silver_ticks=365, bars_5m = forever").keep_days == {"silver_ticks": 365, "bars_5m": None}


def test_all_problems_are_told_at_once() -> None:
    assert problems(PORT="x", LINGER_S="y", PROT="1", QQQQQQQQ="2") == [
        "DATA_PROC_PROT: nobody reads this variable; did you mean DATA_PROC_PORT?",
        "DATA_PROC_QQQQQQQQ: nobody reads this variable; unset it",
        "DATA_PROC_LINGER_S: must be a number of seconds from 0 to 60, is 'y'",
        "DATA_PROC_PORT: must be a whole number from 0 to 65535, is 'x'",
    ]


SECRETS = ("clickhouse_url", "postgres_dsn", "redis_url")


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_never_show(name: str) -> None:
    good = {"clickhouse_url": "http", "postgres_dsn": "postgres", "redis_url": "redis"}[name] + "://u:hunter2@host"
    assert "hunter2" not in repr(read(**{name.upper(): good}))
    assert "hunter2" not in "".join(problems(**{name.upper(): "ftp://u:hunter2@host"}))
    assert "hunter2" not in "".join(problems(**{name.upper(): f"{good}:hunter2"}))


def test_an_error_shows_all_its_problems() -> None:
    assert str(BadSettings(["a", "b"])) == "a\nb"


SPECIFIED = (
    "ENV KAFKA_BOOTSTRAP CLICKHOUSE_URL POSTGRES_DSN REDIS_URL CONSUMER_GROUP MAX_BATCH_SIZE BAR_INTERVALS "
    "CURVE_REBUILD_THREADS PROJECTION_REFRESH_INTERVAL TRACE_ENABLED LOG_LEVEL"
)


def test_every_variable_of_the_specification_is_read() -> None:
    names = {variable(field) for field in attrs.fields(Settings)}
    assert {f"DATA_PROC_{name}" for name in SPECIFIED.split()} <= names


def test_every_setting_says_what_it_means() -> None:
    assert [field.name for field in attrs.fields(Settings) if not field.metadata["doc"].endswith(".")] == []
