"""
Log lines: one JSON object a line, as the observability neighbour reads them; on a terminal, text for people.

Every line is `{"ts","level","service","message","trace_id","extra"}`, at most 4 KiB, without raw control characters;
what looks secret is masked. Lines of other libraries take the same way. Source: contracts.md §8.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from adapters.telemetry.unhurried import LONGEST_LINE, Unhurried

NO_TRACE = "0" * 32
MASK = "***"
MAIN_KEYS = frozenset({"event", "level", "trace_id", "timestamp"})

CHATTY = ("alembic", "sqlalchemy", "uvicorn")
"""Libraries that tell of every step they take; of these, what goes wrong is enough."""

ECHOES = {
    "clickhouse_connect": logging.ERROR,
    "clickhouse_driver": logging.ERROR,
    "urllib3.connectionpool": logging.ERROR,
    "opentelemetry.exporter": logging.CRITICAL,
    "opentelemetry.sdk": logging.ERROR,
}
"""Libraries that tell of every failed call at a level below this; whoever called tells of it once and now and then."""

_SECRET_NAME = re.compile(r"pass(word|wd)?$|secret|token|api_?key|authorization|credential|dsn$|cookie", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE)
_SAID_SECRET = re.compile(r"\b(password|passwd|secret|token|api_?key)\b(\s*[=:]\s*)[^\s,;&]+", re.IGNORECASE)
_TRACE = re.compile(r"[0-9a-f]{32}")

Event = MutableMapping[str, Any]
Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def configure(
    service: str, level: str = "info", stream: TextIO | None = None, *, human: bool | None = None, now: Now = utc_now
) -> None:
    """
    Send every log line of this process to one stream.

    Args:
        service: Name of the service, e.g. 254carbon-normalization.
        level: debug, info, warning or error.
        stream: Where to; standard error where None.
        human: Text for people instead of JSON; None: where the stream is a terminal.
        now: The clock for stamps.
    """
    target = stream or sys.stderr
    readable = target.isatty() if human is None else human
    shared: list[structlog.typing.Processor] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level]
    line = Line(service, now, for_people if readable else as_json)
    handler = logging.StreamHandler(Unhurried(target, line.of_lost))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                line,
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for echo, least in ECHOES.items():
        logging.getLogger(echo).setLevel(least)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A log for one part of the program; it holds the conversation of application.ports.journal."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log


class Line:
    """Turns an event into the line that is written."""

    def __init__(self, service: str, now: Now, render: Callable[[Mapping[str, Any]], str]) -> None:
        self._service = service
        self._now = now
        self._render = render

    def __call__(self, _: Any, __: str, event: Event) -> str:
        """Write one event."""
        trace = str(event.get("trace_id", ""))
        line = {
            "ts": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": str(event.get("level", "info")).upper(),
            "service": self._service,
            "message": without_secrets(str(event.get("event", ""))),
            "trace_id": trace if _TRACE.fullmatch(trace) else NO_TRACE,
            "extra": {name: masked(name, value) for name, value in event.items() if name not in MAIN_KEYS},
        }
        return self._render(shortened(line))

    def of_lost(self, lines: int) -> str:
        """Say that lines were let go."""
        return (
            self(
                None,
                "",
                {"event": "log lines were lost: whoever takes them did not", "level": "warning", "lines": lines},
            )
            + "\n"
        )


def as_json(line: Mapping[str, Any]) -> str:
    """One JSON object; whatever is not printable ASCII is escaped."""
    return json.dumps(line, default=str)


def for_people(line: Mapping[str, Any]) -> str:
    """Time, level, message and what is beside it; control characters escaped."""
    beside = " ".join(f"{name}={_one_line(value)}" for name, value in line["extra"].items())
    return f"{line['ts'][11:23]} {line['level']:<7} {_one_line(line['message'])} {beside}".rstrip()


def shortened(line: dict[str, Any]) -> dict[str, Any]:
    """The line, with its longest texts cut until it is short enough as JSON."""
    if len(as_json(line)) < LONGEST_LINE:
        return line
    for keep in (512, 128, 32):
        cut = {name: _cut(value, keep) for name, value in line["extra"].items()}
        shorter = line | {"message": _cut(line["message"], keep), "extra": cut}
        if len(as_json(shorter)) < LONGEST_LINE:
            return shorter
    return line | {"message": _cut(line["message"], 128), "extra": {"cut": "too long"}}


def masked(name: str, value: Any) -> Any:
    """A field's value, masked where its name says that it is secret or its text shows a password."""
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, Mapping):
        return {str(inner): masked(str(inner), own) for inner, own in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, own) for own in value]
    return value if isinstance(value, int | float | None) else without_secrets(str(value))


def without_secrets(text: str) -> str:
    """A text without the passwords of addresses in it, nor what follows `password=` and its like."""
    return _SAID_SECRET.sub(rf"\1\2{MASK}", _URL_PASSWORD.sub(rf"\g<scheme>{MASK}@", text))


def _cut(value: Any, keep: int) -> Any:
    text = value if isinstance(value, str) else as_json({"": value})
    return value if len(text) <= keep else f"{text[:keep]}…"


def _one_line(value: Any) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(value))
