"""
Raw events as connectors dropped them, and what a market's adapter reads out of them.

`RawEvents` are bytes with their coordinates in the log. A decoder turns them into `RawPrices`: one row per price a
market stated, in our column names but still in the market's own texts, so that one set of rules (numbers, times,
names, flags) serves every market. What can't be read that far is refused, row by row, with a reason.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import attrs
import polars as pl

from domain.batch import Batch, column


def _texts(values: pl.Series | Sequence[str]) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def _places(values: pl.Series | Sequence[int]) -> pl.Series:
    return pl.Series(values, dtype=pl.Int32)


def _numbers(values: pl.Series | Sequence[int | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64)


_SAME = attrs.cmp_using(eq=pl.Series.equals)


@attrs.frozen(kw_only=True)
class RawEvents:
    """Raw messages in the order they were read: columns of their coordinates beside a list of their bytes."""

    topics: pl.Series = attrs.field(converter=_texts, eq=_SAME)
    partitions: pl.Series = attrs.field(converter=_places, eq=_SAME)
    offsets: pl.Series = attrs.field(converter=_numbers, eq=_SAME)
    timestamps_us: pl.Series = attrs.field(converter=_numbers, eq=_SAME)
    values: Sequence[bytes | None]
    """Bytes, or None for a tombstone."""

    def __len__(self) -> int:
        return len(self.values)

    def taken(self, rows: pl.Series | Sequence[int]) -> "RawEvents":
        """Only these messages, in this order."""
        at = rows if isinstance(rows, pl.Series) else pl.Series(rows, dtype=pl.UInt32)
        columns = {name: getattr(self, name)[at] for name in COORDINATES}
        return RawEvents(**columns, values=list(map(self.values.__getitem__, at.to_list())))

    def by_topic(self) -> Mapping[str, pl.Series]:
        """The rows of each topic, in order; topics in the order in which they first appear."""
        names = self.topics.unique(maintain_order=True).to_list()
        if len(names) == 1:
            return {names[0]: pl.arange(len(self), dtype=pl.UInt32, eager=True)}
        return {name: (self.topics == name).arg_true() for name in names}

    @classmethod
    def concat(cls, parts: Sequence["RawEvents"]) -> "RawEvents":
        """The messages of several, in that order."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: pl.concat([getattr(part, name) for part in parts], rechunk=True) for name in COORDINATES}
        return cls(**columns, values=list(chain.from_iterable(part.values for part in parts)))


COORDINATES = ("topics", "partitions", "offsets", "timestamps_us")
"""Columns of RawEvents."""


@attrs.frozen(kw_only=True)
class RawPrice:
    """One price as a market stated it: our column names, the market's texts."""

    event: int = column(pl.Int32, "Position of its message in the RawEvents it was read from.")
    index: int = column(pl.Int32, "Which row of that message, from 0; 0 where a message is one price.")
    tenant_id: str = column(pl.String, "Whose data, checked already.")
    market: str = column(pl.String, "Market or venue, upper case; empty where none is said.")
    data_type: str = column(pl.String, "The feed's own type, e.g. lmp, dam, tick.")
    market_run: str = column(pl.String, "Run in upper case, e.g. DA, RT, DAM; empty where the feed has none.")
    name: str = column(pl.String, "What becomes the instrument_id, parts joined by '.', before upper-casing.")
    symbol: str = column(pl.String, "The market's own name of the location or contract, unchanged.")
    source_id: str = column(pl.String, "Which feed said so, e.g. miso.lmp.rt or binance-spot.")
    source_seq: str | None = column(pl.String, "The source's sequence or trade id as text.", null=True)
    time: str | None = column(pl.String, "Label of the price: ISO text, or digits of an epoch.", null=True)
    time_is_number: bool = column(pl.Boolean, "The label was a JSON number: an epoch of unknown unit.")
    end_time: str | None = column(pl.String, "End of the interval where the source states one, as text.", null=True)
    price: str | None = column(pl.String, "Price as text; null or blank where missing.", null=True)
    volume: str | None = column(pl.String, "Volume as text; null where the source has none.", null=True)
    bid_price: str | None = column(pl.String, "Bid as text.", null=True)
    ask_price: str | None = column(pl.String, "Ask as text.", null=True)
    energy_price: str | None = column(pl.String, "Energy component as text.", null=True)
    congestion_price: str | None = column(pl.String, "Congestion component as text.", null=True)
    loss_price: str | None = column(pl.String, "Loss component as text.", null=True)
    greenhouse_gas_price: str | None = column(pl.String, "Greenhouse-gas component as text.", null=True)
    currency: str = column(pl.String, "ISO code; empty where the feed gives no source for it.")
    unit: str = column(pl.String, "Unit of quantity; empty where the feed gives no source for it.")
    ingested_at: str | None = column(
        pl.String, "The connector's time of knowledge: digits of µs or ISO text.", null=True
    )
    flags: int = column(pl.UInt32, "Flags that only the decoder could see, as a bitmask of silver.quality.Flag.")
    metadata: str = column(
        pl.String, "Further facts of the price as a JSON object of strings, keys sorted; '{}' for none."
    )
    source_event_id: str = column(pl.String, "The upstream event_id; empty where absent. Never an identity.")
    source_system: str = column(pl.String, "Producer or source system; empty where absent.")
    trace_id: str = column(pl.String, "The upstream trace id, as it came; empty where absent.")


class RawPrices(Batch[RawPrice]):
    """Prices as their markets stated them."""

    fact = RawPrice


@attrs.frozen(kw_only=True)
class Refusal:
    """A message, or one row of it, that can't become a tick."""

    event: int = column(pl.Int32, "Position of its message in the RawEvents it was read from.")
    index: int = column(pl.Int32, "Which row of that message; -1 where the whole message is refused.")
    reason: str = column(pl.String, "Code, one of errors.Reason.")
    field: str = column(pl.String, "The field at fault; empty where none.")
    message: str = column(pl.String, "What was wrong, for a person.")


class Refusals(Batch[Refusal]):
    """Messages or rows that can't become ticks."""

    fact = Refusal


@attrs.frozen(kw_only=True)
class Decoded:
    """What a decoder made of RawEvents: each message is among prices, refusals or filtered, and none is lost."""

    prices: RawPrices
    refusals: Refusals
    filtered: Sequence[tuple[int, str]]
    """Positions of messages that are no price on purpose, with one of errors.Declared."""
