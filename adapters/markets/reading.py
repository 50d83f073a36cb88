"""What a market's reader makes of messages, and the columns it puts them in."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
import polars as pl

from adapters.wire.exact_json import Members
from domain.bronze.raw_event import RawPrice, RawPrices, Refusal, Refusals
from domain.errors import Declared

NO_METADATA = "{}"
_LOWER_TO_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_UPPER_TO_LOWER = {upper: lower for lower, upper in _LOWER_TO_UPPER.items()}

_ABSENT: Mapping[str, Any] = {
    "index": 0,
    "market_run": "",
    "time_is_number": False,
    "currency": "",
    "unit": "",
    "flags": 0,
    "metadata": NO_METADATA,
    "source_event_id": "",
    "source_system": "",
    "trace_id": "",
}

Values = Sequence[bytes | None] | Mapping[int, bytes]
"""Messages by their position."""


@attrs.frozen(kw_only=True)
class Reading:
    """What the exact reader made of one message: prices, refusals, both, or a declared filter."""

    prices: Sequence[RawPrice] = ()
    refusals: Sequence[Refusal] = ()
    filtered: Declared | None = None


@attrs.frozen(kw_only=True)
class FastReading:
    """What the fast reader made of many messages. It refuses none: those it is not sure of are for the exact reader."""

    prices: Sequence[pl.DataFrame]
    unsure: Sequence[int]
    """Their positions, in order."""


class TopicReader(Protocol):
    """Knows the messages of one topic. Both of its methods agree on every message the fast one is sure of."""

    def read_fast(self, values: Values, events: Sequence[int]) -> FastReading:
        """Read the messages at these positions."""

    def read(self, event: int, message: Members) -> Reading:
        """Read one message exactly. Raises Unreadable where the whole message can't be used."""


def upper(text: str) -> str:
    """Upper-case ASCII letters and no others, so that no look-alike turns into a real name."""
    return text.translate(_LOWER_TO_UPPER)


def lower(text: str) -> str:
    """Lower-case ASCII letters and no others."""
    return text.translate(_UPPER_TO_LOWER)


def prices_frame(height: int, columns: Mapping[str, Any]) -> pl.DataFrame:
    """
    Lay out columns of raw prices.

    Args:
        height: Rows.
        columns: By name of RawPrice: a Series, a list, or one value for all rows. What is left out is absent everywhere.
    """
    series = [
        _series(name, dtype, columns.get(name, _ABSENT.get(name)), height) for name, dtype in RawPrices.schema.items()
    ]
    return pl.DataFrame(series)


def _series(name: str, dtype: Any, values: Any, height: int) -> pl.Series:
    if isinstance(values, pl.Series):
        return values.cast(dtype).alias(name)
    if isinstance(values, list):
        return pl.Series(name, values, dtype=dtype)
    return constant(name, dtype, values, height)


def constant(name: str, dtype: Any, value: Any, height: int) -> pl.Series:
    """A column of one value. Ten times quicker than polars.repeat, which plans a query first."""
    return pl.Series(name, [value], dtype=dtype).new_from_index(0, height)


def prices_of(prices: Sequence[RawPrice]) -> pl.DataFrame:
    """Lay out single prices as columns."""
    return prices_frame(len(prices), {name: [getattr(price, name) for price in prices] for name in RawPrices.schema})


_NONE_REFUSED = Refusals.empty()


def refusals_of(refusals: Sequence[Refusal]) -> Refusals:
    """Lay out single refusals as columns."""
    if not refusals:
        return _NONE_REFUSED
    columns = {name: [getattr(refusal, name) for refusal in refusals] for name in Refusals.schema}
    return Refusals(pl.DataFrame(columns, schema=dict(Refusals.schema)))
