"""
What may be asked, and in which form. Every refusal names the parameter and says what would do.

Source: contracts.md §2 (tenants, ids) and §5 (paths).
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated

from litestar.params import QueryParameter

from domain.gold.taxonomy import InstrumentKey

LONGEST_QUERY_BYTES = 8192
MOST_ROWS = 1000
SOME_ROWS = 100
FIRST_YEAR, LAST_YEAR = 1970, 2100

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_INSTRUMENT = re.compile(r"[A-Z0-9._:-]{1,64}")
_MARKET = re.compile(r"[A-Z0-9._:-]{1,64}")
_HORIZON = re.compile(r"[0-9]{1,3}[DWMQY]|DA|ALL")
_PROJECTION = re.compile(r"[a-z0-9_]{1,64}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)

Tenant = Annotated[str, QueryParameter(description="Whose data; `default` where absent.")]
Instrument = Annotated[str, QueryParameter(description="The price series, e.g. `MISO.LMP.RT.INDIANA.HUB`.")]
AnyInstrument = Annotated[
    str | None, QueryParameter(description="One price series; without it the first of all are listed.")
]
Market = Annotated[str | None, QueryParameter(description="Only prices of this market, e.g. `CAISO`.")]
Limit = Annotated[str, QueryParameter(description=f"At most so many rows, 1 to {MOST_ROWS}.")]
Consistency = Annotated[str, QueryParameter(description="`eventual` may answer from a cache, `strong` asks the table.")]
Interval = Annotated[str, QueryParameter(description="Length of the bars, e.g. `5m`; one of those enabled.")]
From = Annotated[
    str | None, QueryParameter(name="from", description="First instant, RFC 3339, or a date: its midnight UTC.")
]
To = Annotated[str | None, QueryParameter(name="to", description="First instant after, likewise.")]
Horizon = Annotated[str, QueryParameter(description="How far ahead: `1M`, `2W`, `1Q`, `1Y`, `DA` or `ALL`.")]
ProjectionType = Annotated[str, QueryParameter(description="Which projection, e.g. `latest_price`.")]


class BadParameter(ValueError):
    """A parameter nobody can use. Its text begins with the parameter's name and may be shown to whoever asked."""


def tenant(text: str) -> str:
    """A tenant as given. Raises BadParameter."""
    return _matching("tenant_id", text, _TENANT, "1 to 64 of a-z, 0-9, _ and -, not beginning with _ or -")


def instrument(text: str) -> str:
    """An instrument_id in upper case. Raises BadParameter."""
    return _matching("instrument_id", _upper(text), _INSTRUMENT, "1 to 64 of A-Z, 0-9, . _ : and -")


def key(tenant_id: str, instrument_id: str) -> InstrumentKey:
    """Whose instrument, and which. Raises BadParameter."""
    return InstrumentKey(tenant(tenant_id), instrument(instrument_id))


def market(text: str | None) -> str | None:
    """A market in upper case; None where none is named. Raises BadParameter."""
    return None if text is None else _matching("market", _upper(text), _MARKET, "1 to 64 of A-Z, 0-9, . _ : and -")


def horizon(text: str) -> str:
    """A horizon in upper case. Raises BadParameter."""
    return _matching("horizon", _upper(text), _HORIZON, "a number and D, W, M, Q or Y, or DA, or ALL")


def projection_type(text: str) -> str:
    """The name of a projection. Raises BadParameter."""
    return _matching("projection_type", text, _PROJECTION, "1 to 64 of a-z, 0-9 and _")


def strong(text: str) -> bool:
    """Whether the table itself must answer. Raises BadParameter."""
    return one_of("consistency", text, ("eventual", "strong")) == "strong"


def limit(text: str) -> int:
    """A number of rows. Raises BadParameter."""
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_ROWS):
        raise BadParameter(f"limit must be a whole number from 1 to {MOST_ROWS}, is {_shown(text)}")
    return int(text)


def one_of(name: str, text: str, known: Collection[str]) -> str:
    """One of the values there are. Raises BadParameter."""
    if text not in known:
        raise BadParameter(f"{name} must be one of {', '.join(known)}, is {_shown(text)}")
    return text


def period(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """A half-open period, open where a side is None. Raises BadParameter."""
    first, after = instant("from", start), instant("to", end)
    if first and after and after <= first:
        raise BadParameter(f"to must be later than from, is {_shown(end)}")
    return first, after


def instant(name: str, text: str | None) -> datetime | None:
    """An instant, RFC 3339 or a date that means its midnight UTC; None where absent. Raises BadParameter."""
    if text is None:
        return None
    # A plus sign that nobody escaped arrives as a space.
    spelled = text.replace(" ", "+")
    try:
        moment = _moment(spelled)
    except ValueError as error:
        raise BadParameter(
            f"{name} must be a date or an RFC 3339 time with its offset, from {FIRST_YEAR} to {LAST_YEAR}, "
            f"e.g. 2026-10-01 or 2026-10-01T09:30:00Z, is {_shown(text)}"
        ) from error
    return moment.astimezone(UTC)


def _moment(text: str) -> datetime:
    if _DATE.fullmatch(text):
        text += "T00:00Z"
    if not _INSTANT.fullmatch(text) or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
        raise ValueError
    return datetime.fromisoformat(text.upper())


def _matching(name: str, text: str, form: re.Pattern[str], told: str) -> str:
    if not form.fullmatch(text):
        raise BadParameter(f"{name} must be {told}, is {_shown(text)}")
    return text


def _upper(text: str) -> str:
    return text.upper() if text.isascii() else text


def _shown(text: str | None) -> str:
    return ascii((text or "")[:80])
