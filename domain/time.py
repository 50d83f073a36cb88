"""
Instants: reading labels as texts and numbers, and putting local ones on a clock.

Source: contracts.md §1, odd input; conventions.md §1. Instants are UTC µs. What can't be read is null, never a guess.
"""

from typing import Any, Literal

import polars as pl

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 86_400 * SECOND_US
EARLIEST_US = 0
"""1970-01-01."""
LATEST_US = 4_102_444_800 * SECOND_US
"""2100-01-01, the first instant that is refused."""
KNOWLEDGE_SINCE_US = 631_152_000 * SECOND_US
"""1990-01-01: before it nobody ingested anything, and a number is no plausible epoch."""

LOCAL = pl.Datetime("us")
INSTANT = pl.Datetime("us", "UTC")

_TIME_OF_DAY = r"((?:[01][0-9]|2[0-3]):[0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
_OFFSET = r"(Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
_ISO = rf"^([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[T ]{_TIME_OF_DAY}{_OFFSET}$"


def within_years(instant_us: Any) -> Any:
    """Whether an instant lies in the years the tables hold, 1970 up to 2100."""
    return (instant_us >= EARLIEST_US) & (instant_us < LATEST_US)


def read_iso(texts: pl.Series) -> pl.DataFrame:
    """
    Read dates with a time of day: `T` or a space between, seconds optional, fractions cut to µs, offset optional.

    Returns:
        `local` (Datetime µs without zone) and `offset_us` (Int64), one row a text. Both null where the text is none of
        these (24:00, second 60, week dates, zone names, a date alone); `offset_us` null where it states no offset.
    """
    distinct = texts.unique()
    if 2 * len(distinct) > len(texts):
        return _read_each(texts)
    read = _read_each(distinct)
    return (
        texts.to_frame("text")
        .join(read.with_columns(distinct.alias("text")), on="text", how="left", nulls_equal=True, maintain_order="left")
        .drop("text")
    )


def _read_each(texts: pl.Series) -> pl.DataFrame:
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    parts.columns = ["date", "minute", "second", "fraction", "offset"]
    fractions = parts["fraction"].null_count() < len(parts)
    local = parts.select_seq(_WHOLE_SECONDS + _FRACTION if fractions else _WHOLE_SECONDS).to_series()
    return pl.DataFrame({"local": local, "offset_us": _offset_us(parts["offset"])})


_WHOLE_SECONDS = pl.format("{} {}:{}", "date", "minute", pl.col("second").fill_null("00")).str.to_datetime(
    "%Y-%m-%d %H:%M:%S", time_unit="us", strict=False
)
_FRACTION = pl.col("fraction").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64).fill_null(0).cast(pl.Duration("us"))


def _offset_us(offset: pl.Series) -> pl.Series:
    distinct = offset.unique().drop_nulls()
    values = pl.Series([offset_us(text) for text in distinct.to_list()], dtype=pl.Int64)
    return offset.replace_strict(distinct, values, default=None, return_dtype=pl.Int64)


def offset_us(text: str) -> int:
    """How far ahead of UTC the offset `Z`, `+01`, `+0100` or `-05:00` is, in µs."""
    digits = text[1:].replace(":", "").ljust(4, "0")
    ahead_us = (int(digits[:2]) * 60 + int(digits[2:])) * MINUTE_US if text != "Z" else 0
    return -ahead_us if text.startswith("-") else ahead_us


def on_clock(local: pl.Series, clock: pl.Series) -> pl.DataFrame:
    """
    Put local times on their clocks.

    Args:
        local: Times of day without zone, Datetime µs.
        clock: IANA zone of each.

    Returns:
        `instant` (UTC; null where the clock skips that time) and `ambiguous` (True where it shows that time twice:
        the first is taken).
    """
    instant = pl.Series("instant", [None], dtype=INSTANT).new_from_index(0, len(local))
    ambiguous = pl.Series("ambiguous", [False]).new_from_index(0, len(local))
    zones = clock.filter(local.is_not_null()).unique().to_list()
    for zone in zones:
        rows = (clock == zone).arg_true()
        there, stated = local[rows].to_frame("local"), pl.col("local")
        either = in_utc(stated, zone, "earliest").alias("first"), in_utc(stated, zone, "latest").alias("last")
        first, last = there.select_seq(either).get_columns()
        instant.scatter(rows, first)
        ambiguous.scatter(rows, (first != last).fill_null(value=False))
    return pl.DataFrame([instant, ambiguous])


def off_clock(instant: pl.Series, clock: pl.Series) -> pl.Series:
    """
    Read instants off their clocks: `on_clock` the other way.

    Args:
        instant: INSTANT; null stays null.
        clock: IANA zone of each.

    Returns:
        What each clock shows, LOCAL.
    """
    local = pl.Series([None], dtype=LOCAL).new_from_index(0, len(instant))
    for zone in clock.filter(instant.is_not_null()).unique().to_list():
        rows = (clock == zone).arg_true()
        local.scatter(rows, instant[rows].dt.convert_time_zone(zone).dt.replace_time_zone(None))
    return local


def in_utc(local: pl.Expr, zone: str, which: Literal["earliest", "latest"]) -> pl.Expr:
    """Times on a zone's clock as instants: null where it skips them, of two the one that is asked for."""
    there = local.dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
    return there.dt.convert_time_zone("UTC")


def epoch_us(number: pl.Series) -> pl.Series:
    """
    Read integers as instants in s, ms, µs or ns, whichever puts them between 1990 and 2100; null where none does.

    The four ranges don't touch, so no number has two readings, and a date written in digits has none.
    """
    readings = [(SECOND_US, 1), (1000, 1), (1, 1), (1, 1000)]
    found = pl.coalesce(
        pl.when(
            (pl.lit(number) >= KNOWLEDGE_SINCE_US * per // times) & (pl.lit(number) < LATEST_US * per // times)
        ).then(pl.lit(number) * times // per)
        for times, per in readings
    )
    return pl.select(found).to_series()
