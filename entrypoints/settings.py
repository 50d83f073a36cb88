"""
Every setting, read from the environment in one place, all problems told at once.

A setting is declared once: its field gives the variable (`DATA_PROC_` and the name in upper case), its default, how its
text is read and what it means; the reference page is made from the same declaration. Source: contracts.md §6.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from domain.errors import BadInterval, DataprocError
from domain.gold.interval import BarIntervals

PREFIX = "DATA_PROC_"
MIB = 1024 * 1024
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
NOT_OURS = frozenset({"DATA_PROC_SHARED"})
"""Variables with our prefix that only tests read."""

NAMING_A_HOST = frozenset({"http", "https", "clickhouse", "clickhouses"})
"""Schemes of addresses that mean nothing without a host; others have a default, or are paths."""

Read = Callable[[str], Any]


class BadSettings(DataprocError):
    """Settings that can't be used. `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def text(given: str) -> str:
    """Any text but an empty one."""
    if not given.strip():
        raise ValueError("must not be empty")
    return given.strip()


def whole(low: int, high: int) -> Read:
    """A whole number within bounds, both included."""

    def read(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", given.strip()) or not low <= int(given) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(given)

    return read


def seconds(low: float, high: float) -> Read:
    """A number of seconds within bounds, both included."""

    def read(given: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", given.strip()) or not low <= float(given) <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(given)

    return read


def ratio(low: float, high: float) -> Read:
    """A plain number within bounds, both included."""

    def read(given: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", given.strip()) or not low <= float(given) <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(given)

    return read


def switch(given: str) -> bool:
    """On or off."""
    spelled = given.strip().lower()
    if spelled not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ValueError("must be true or false")
    return spelled in {"true", "1", "yes", "on"}


def one_of(*known: str) -> Read:
    """One of a few words, in any case."""

    def read(given: str) -> str:
        spelled = given.strip().lower()
        if spelled not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return spelled

    return read


def sasl_mechanism(given: str) -> str:
    """One that takes a name and a password."""
    spelled, known = given.strip().upper(), ", ".join(SASL_MECHANISMS)
    if spelled == "OAUTHBEARER":
        raise ValueError(f"must be one of {known}: there are no settings for an issuer of tokens")
    if spelled not in SASL_MECHANISMS:
        raise ValueError(f"must be one of {known}")
    return spelled


def address(*schemes: str) -> Read:
    """An address with one of these schemes, which names its host, and where it names a port, one there may be."""

    def read(given: str) -> str:
        if given.strip().partition("://")[0] not in schemes or "://" not in given:
            raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in schemes)}")
        scheme, host, _ = _place(given.strip())
        if scheme in NAMING_A_HOST and not host:
            raise ValueError(f"must name a host, e.g. {scheme}://127.0.0.1")
        return given.strip()

    return read


def brokers(given: str) -> str:
    """Hosts with their ports, comma-separated."""
    for part in given.split(","):
        _, host, _ = _place(f"kafka://{part.strip()}")
        if not host or not re.fullmatch(r"[^\s/@?#]+", part.strip()):
            raise ValueError("must be hosts and ports, comma-separated, e.g. kafka1:9092,kafka2:9092")
    return given.strip()


def _place(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address; what the parser says of it may quote a password."""
    scheme, _, rest = url.partition("://")
    # Of these the driver takes passwords as they are, whatever other addresses would take for their end.
    place = rest.rpartition("@")[2] if scheme in {"postgres", "postgresql"} else rest
    try:
        parts = urlsplit(f"{scheme}://{place}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("must name a port from 0 to 65535 after its host, or none") from None
    return scheme, host, port


def optional(read: Read) -> Read:
    """The same, or nothing."""
    return lambda given: read(given) if given.strip() else ""


def intervals(given: str) -> tuple[str, ...]:
    """Names of bar intervals that tile each other, comma-separated."""
    try:
        return tuple(interval.name for interval in BarIntervals.parse(given.split(",")).all)
    except BadInterval as error:
        raise ValueError(str(error)) from error


def existing_folder(given: str) -> Path:
    """A folder that exists."""
    if not Path(given).is_dir():
        raise ValueError("must be a folder that exists")
    return Path(given)


def existing_file(given: str) -> str:
    """Path of a file that exists."""
    if not Path(given.strip()).is_file():
        raise ValueError("must be a file that exists")
    return given.strip()


def overrides_s(given: str) -> dict[str, float]:
    """Seconds by feed, e.g. `miso.lmp.rt=600,caiso.lmp.dam=7200`; a feed is a source_id."""
    found: dict[str, float] = {}
    for part in given.split(","):
        feed, equals, value = part.strip().partition("=")
        if not equals or not feed.strip() or feed.strip() in found:
            raise ValueError("must be feeds and seconds, each feed once, e.g. miso.lmp.rt=600,caiso.lmp.dam=7200")
        found[feed.strip()] = seconds(0, 366 * 86_400)(value)
    return found


def days_by_table(given: str) -> dict[str, int | None]:
    """Days by table, e.g. `silver_ticks=365,bars_5m=forever`; None is for ever."""
    found: dict[str, int | None] = {}
    for part in given.split(","):
        table, equals, value = (text.strip() for text in part.partition("="))
        if not equals or not table or table in found:
            raise ValueError("must be tables and days, each table once, e.g. silver_ticks=365,bars_5m=forever")
        found[table] = None if value == "forever" else whole(1, 36_500)(value)
    return found


def killpoint(given: str) -> tuple[str, int]:
    """How an effect's name begins, and its how manieth: e.g. `stored bars_5m:3`."""
    effect, _, passage = given.strip().rpartition(":")
    if not effect or not re.fullmatch(r"[1-9][0-9]{0,8}", passage):
        raise ValueError("must be an effect and a number, e.g. stored bars_5m:3")
    return effect, int(passage)


def setting(default: Any, read: Read, doc: str, *, secret: bool = False) -> Any:
    """
    Declare a setting.

    Args:
        default: What holds where the variable is absent.
        read: Turns its text into a value, or raises ValueError with what it must be.
        doc: What it means, with its unit.
        secret: May hold a password: is never shown.
    """
    shown = (lambda value: "***" if value else repr(value)) if secret else repr
    return attrs.field(default=default, repr=shown, metadata={"read": read, "doc": doc, "secret": secret})


@attrs.frozen(kw_only=True)
class Settings:
    """All settings of all services."""

    env: str = setting("local", text, "Name of the environment.")
    log_level: str = setting("info", one_of("debug", "info", "warning", "error"), "Least level that is logged.")
    trace_enabled: bool = setting(
        True, switch, "Whether each batch is a span, by whose trace id its log lines are found together."
    )
    trace_endpoint: str = setting(
        "",
        optional(address("http", "https")),
        "Address spans go to by OTLP over HTTP, e.g. http://collector:4318/v1/traces; empty: nowhere.",
    )

    host: str = setting("127.0.0.1", text, "Address HTTP listens on; the loopback unless told otherwise.")
    port: int = setting(8203, whole(0, 65_535), "Port HTTP listens on; 0 takes a free one.")

    kafka_bootstrap: str = setting("kafka:9092", brokers, "Kafka broker addresses.")
    kafka_security_protocol: str = setting(
        "plaintext",
        one_of("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
        "How brokers are spoken to; what is not encrypted is refused outside the environments local and test.",
    )
    kafka_sasl_mechanism: str = setting(
        "SCRAM-SHA-512", sasl_mechanism, "SASL mechanism, where the protocol is one of SASL; PLAIN and SCRAM are known."
    )
    kafka_username: str = setting("", str.strip, "Who we are to the brokers.")
    kafka_password: str = setting("", str.strip, "Password at the brokers.", secret=True)
    kafka_ca_path: str = setting(
        "", optional(existing_file), "PEM file of the authorities that sign brokers; empty: the system's."
    )
    kafka_certificate_path: str = setting(
        "", optional(existing_file), "PEM file of our own certificate, where brokers ask for one."
    )
    kafka_key_path: str = setting("", optional(existing_file), "PEM file of its key.")
    kafka_key_password: str = setting("", str.strip, "Password of the key.", secret=True)
    kafka_instance_id: str = setting(
        "", str.strip, "Name that outlives the process, so that a restart takes its partitions back unshuffled."
    )
    kafka_group_protocol: str = setting(
        "consumer",
        one_of("consumer", "classic"),
        "Who deals partitions to the members of a group: the brokers, of Kafka 4 and later, or the members themselves.",
    )
    kafka_session_timeout_s: float = setting(
        10,
        seconds(1, 1800),
        "Silence after which a member counts as gone, in seconds, where the group protocol is classic; else brokers decide.",
    )
    kafka_poll_within_s: float = setting(
        300,
        seconds(1, 86_400),
        "Longest time for which a member may neither poll nor say that it stays before it loses its partitions, in seconds.",
    )
    kafka_budget_bytes: int = setting(
        64 * MIB, whole(MIB, 1024 * MIB), "Most bytes of records that one poll returns, and that wait to be polled."
    )
    kafka_replication: int = setting(1, whole(1, 15), "Copies of each partition of a topic that is created.")
    wire_format: str = setting(
        "json", one_of("json", "avro"), "How events between our stages are written; both are always read."
    )
    clickhouse_url: str = setting(
        "http://clickhouse:8123",
        address("http", "https", "clickhouse", "clickhouses", "chdb"),
        "ClickHouse; the scheme picks the client, chdb:///path the engine in process.",
        secret=True,
    )
    postgres_dsn: str = setting(
        "postgresql://postgres/dataproc",
        address("postgres", "postgresql", "sqlite"),
        "Database of reference data.",
        secret=True,
    )
    redis_url: str = setting("redis://redis:6379/0", address("redis", "rediss", "unix"), "Cache.", secret=True)
    schema_registry_url: str = setting(
        "",
        optional(address("http", "https")),
        "Registry of the Avro schemas of raw messages, e.g. https://user:password@registry:8081; empty: the schemas that "
        "come with the program. What is not encrypted is refused outside the environments local and test.",
        secret=True,
    )
    schema_registry_ca_path: str = setting(
        "", str.strip, "PEM file of the authorities that sign the schema registry; empty: the system's."
    )
    kafka_timeout_s: float = setting(
        10,
        seconds(1, 300),
        "Longest wait for a broker's answer, in seconds; a record nobody took in three times that is sent anew.",
    )
    clickhouse_timeout_s: float = setting(
        30, seconds(0.5, 3600), "Longest wait for ClickHouse to answer, in seconds; a slice of a recompute has an hour."
    )
    postgres_timeout_s: float = setting(5, seconds(0.5, 600), "Longest wait for the database to answer, in seconds.")
    redis_timeout_s: float = setting(1, seconds(0.05, 60), "Longest wait for Redis to answer, in seconds.")
    schema_registry_timeout_s: float = setting(
        5, seconds(0.1, 600), "Longest wait for the schema registry to answer, in seconds."
    )
    retry_wait_s: float = setting(
        10, seconds(0.1, 600), "Longest wait before a failed call is tried again, in seconds; the first is 0.1."
    )
    slow_after_s: float = setting(
        10, seconds(0.1, 600), "Seconds after which a call that has not returned makes the service unready."
    )
    drain_s: float = setting(
        20, seconds(0.1, 600), "Longest time from a request to stop until the process ends, whatever still hangs."
    )
    killpoint: tuple[str, int] | None = setting(
        None,
        killpoint,
        "For tests of crashes: the process kills itself once an effect is performed, e.g. `stored bars_5m:3` the third"
        " time that table is written. Refused unless the environment is test.",
    )
    consumer_group: str = setting(
        "dataproc", text, "Begins the names of the groups by which processes of one stage share partitions."
    )

    keep_days: Mapping[str, int | None] = setting(
        attrs.Factory(dict),
        days_by_table,
        "Days by table after which `dataproc migrate up` lets rows expire, counted from the time they are for; `forever` "
        "undoes it. Tables that are not named stay as they are, and keep rows for ever to begin with.",
    )

    max_batch_size: int = setting(20_000, whole(1, 1_000_000), "Most records a poll returns.")
    linger_s: float = setting(0.05, seconds(0, 60), "Longest wait for a first record, in seconds.")
    bar_intervals: tuple[str, ...] = setting(("5m", "1h", "1d"), intervals, "Enabled bar intervals, comma-separated.")
    lateness_s: Mapping[str, float] = setting(
        attrs.Factory(dict),
        overrides_s,
        "Allowed lateness by feed, in seconds of event time, where it differs from its policy.",
    )
    adaptive_lateness: bool = setting(
        True, switch, "Let each feed's allowed lateness follow how late its ticks come, where it is not set above."
    )
    lateness_quantile: float = setting(0.999, ratio(0.5, 1), "Share of a feed's ticks that shall not be late.")
    lateness_least: float = setting(0.5, ratio(0, 1), "Least lateness a feed may come to, as a share of its policy's.")
    lateness_most: float = setting(4, ratio(1, 100), "Most lateness a feed may come to, as a multiple of its policy's.")
    idle_s: Mapping[str, float] = setting(
        attrs.Factory(dict),
        overrides_s,
        "Silence by feed after which its windows close, in seconds, where it differs from its policy.",
    )
    provisional_every_s: float = setting(1, seconds(0, 3600), "Seconds between announcements of open windows.")
    recompute_windows_per_turn: int = setting(
        1_000, whole(1, 1_000_000), "Most windows computed anew at once, so that a burst of late ticks holds up nobody."
    )
    window_memory_ticks: int = setting(5_000_000, whole(1, 1_000_000_000), "Most ticks of open windows held in memory.")
    replay_limit: int = setting(
        1_000_000, whole(1, 1_000_000_000), "Most records a restart may have to replay a partition."
    )
    winners: int = setting(
        1_000_000, whole(0, 100_000_000), "Most keys whose winning tick is remembered, so that repeats are skipped."
    )
    wire_between_stages: bool = setting(
        False, switch, "Send batches through the wire codec between stages of one process."
    )

    reference_dir: Path | None = setting(  # noqa: RUF009 - declares a field
        None,
        existing_folder,
        "Folder of reference files in place of the shipped ones; a database takes them where nothing is loaded yet.",
    )
    metadata_cache_s: float = setting(300, seconds(0, 86_400), "Seconds for which looked-up metadata is remembered.")
    curve_rebuild_threads: int = setting(4, whole(1, 256), "Parallel curve builds.")
    projection_refresh_interval: float = setting(
        10,
        seconds(0.1, 86_400),
        "Seconds from one round to the next in which the projection compares cached prices, served_latest and silver, and "
        "mends what lags; that is found within this and a few seconds more.",
    )

    def group_of(self, stage: str) -> str:
        """The consumer group of a stage, by its name."""
        return f"{self.consumer_group}-{stage}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """
        Read all settings.

        Args:
            environment: Variables by name, e.g. `os.environ`.

        Raises:
            BadSettings: Some can't be read, or nobody reads a variable with our prefix; every problem is told.
        """
        fields = {variable(field): field for field in attrs.fields(cls)}
        given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and name not in NOT_OURS}
        problems = [_unknown(name, list(fields)) for name in sorted(given.keys() - fields.keys())]
        values = {}
        for name in sorted(given.keys() & fields.keys()):
            try:
                values[fields[name].name] = fields[name].metadata["read"](given[name])
            except ValueError as error:
                problems.append(_unusable(fields[name], given[name], error))
        found = cls(**values)
        problems += _contradictions(found)
        if problems:
            raise BadSettings(problems)
        return found


def variable(field: "attrs.Attribute[Any]") -> str:
    """The environment variable of a setting."""
    return PREFIX + field.name.upper()


def _contradictions(found: Settings) -> Iterator[str]:
    """What can't be together."""
    if found.killpoint and found.env != "test":
        yield "DATA_PROC_KILLPOINT: only a process in DATA_PROC_ENV=test may be told to kill itself"
    if found.kafka_security_protocol.startswith("sasl_") and not (found.kafka_username and found.kafka_password):
        yield (
            f"DATA_PROC_KAFKA_SECURITY_PROTOCOL: {found.kafka_security_protocol} needs DATA_PROC_KAFKA_USERNAME and "
            "DATA_PROC_KAFKA_PASSWORD"
        )
    if bool(found.kafka_certificate_path) != bool(found.kafka_key_path):
        yield "DATA_PROC_KAFKA_CERTIFICATE_PATH and DATA_PROC_KAFKA_KEY_PATH: one is of no use without the other"
    if found.kafka_group_protocol == "classic" and found.kafka_poll_within_s < found.kafka_session_timeout_s:
        yield "DATA_PROC_KAFKA_POLL_WITHIN_S: must be no less than DATA_PROC_KAFKA_SESSION_TIMEOUT_S"


def _unknown(name: str, known: list[str]) -> str:
    near = get_close_matches(name.removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in known], n=1)
    return f"{name}: nobody reads this variable; " + (f"did you mean {PREFIX}{near[0]}?" if near else "unset it")


def _unusable(field: "attrs.Attribute[Any]", given: str, error: ValueError) -> str:
    shown = "***" if field.metadata["secret"] else ascii(given[:80])
    return f"{variable(field)}: {error}, is {shown}"
