"""
What the label of a price means: the start of its interval as an instant, and the interval's end.

A label is a text or a number, read on its feed's clock by its feed's convention.
Source: contracts.md §1, feeds and odd input; data/README.md, conventions of the feeds; conventions.md §1.
"""

import polars as pl

from domain.batch import micros
from domain.silver.feed import Label
from domain.silver.numbers import is_blank
from domain.time import INSTANT, LOCAL, epoch_us, off_clock, on_clock, read_iso, within_years

_INTEGER = r"^[0-9]{1,19}$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_YEAR_AND_MONTH = r"^[0-9]{4}-[0-9]{2}$"
_DURATION = pl.Duration("us")


def place(labelled: pl.DataFrame) -> pl.DataFrame:
    """
    Say which instant each price is for.

    Args:
        labelled: The texts `time` and `end_time` (null where not stated), and of the feed `clock`, `label`,
            `interval_us` (null where it has none) and `naive_by_policy`.

    Returns:
        `ts` and `interval_end` (null where there is none), `bad_time` and `bad_end` (the label, or a stated end, is no
        time, out of range, or an end that doesn't come after its start), `ambiguous` (local time that exists twice: the
        first is taken) and `guessed` (a number whose unit its range decided).
    """
    read = read_instants(labelled["time"], labelled)
    month_end = _month_ends(read["local"], labelled).alias("month_end")
    placed = pl.DataFrame([read["instant"], month_end, labelled["label"], labelled["interval_us"].cast(_DURATION)])
    by_policy = placed.select(_start().alias("ts"), _end().alias("interval_end"))
    bad_time = ~(_within_years(read["instant"]) & _within_years(by_policy["ts"]))
    found = by_policy.with_columns(
        bad_time.alias("bad_time"), pl.lit(value=False).alias("bad_end"), read["ambiguous"], read["guessed"]
    )
    return found if is_blank(labelled["end_time"]).all() else _with_stated_ends(found, labelled)


def _start() -> pl.Expr:
    return pl.when(pl.col("label") == Label.END).then(pl.col("instant") - pl.col("interval_us")).otherwise("instant")


def _end() -> pl.Expr:
    ends_there = pl.when(pl.col("label") == Label.END).then("instant")
    return pl.coalesce(ends_there, "month_end", pl.col("instant") + pl.col("interval_us"))


def _with_stated_ends(found: pl.DataFrame, labelled: pl.DataFrame) -> pl.DataFrame:
    """The end a source states itself counts before the feed's interval."""
    read = read_instants(labelled["end_time"], labelled)
    stated = ~is_blank(labelled["end_time"])
    end = read["instant"].zip_with(stated, found["interval_end"])
    return found.with_columns(
        end.alias("interval_end"),
        (stated & ~(_within_years(end) & (end > found["ts"]).fill_null(value=True))).alias("bad_end"),
        found["ambiguous"] | read["ambiguous"],
        found["guessed"] | read["guessed"],
    )


def _within_years(instant: pl.Series) -> pl.Series:
    within: pl.Series = within_years(micros(instant))
    return within.fill_null(value=False)


def read_instants(texts: pl.Series, labelled: pl.DataFrame) -> pl.DataFrame:
    """
    Read texts as instants on their feeds' clocks.

    Args:
        texts: Dates with a time of day, or integers; on DAY labels also dates, on MONTH labels also months.
        labelled: Of each one's feed `clock`, `label` and `naive_by_policy`.

    Returns:
        `instant` (null where the text is none), `ambiguous`, `guessed`, and `local` (the time on the feed's clock, which
        of an instant that an offset or a number states is only asked for the day or month it is in; else null).
    """
    iso = read_iso(_completed(texts, labelled["label"]))
    offset = iso["offset_us"]
    naive = offset.is_null() | (labelled["naive_by_policy"] & (offset == 0))
    by_offset = (iso["local"] - offset.cast(_DURATION)).dt.replace_time_zone("UTC").zip_with(~naive, _none(INSTANT))
    guessed = _guessed(texts, iso["local"])
    stated = by_offset.zip_with(by_offset.is_not_null(), guessed)
    local = iso["local"].zip_with(naive & iso["local"].is_not_null(), _on_calendars(stated, labelled))
    local = _floored(local, labelled["label"])
    there = on_clock(local, labelled["clock"])
    instant = there["instant"].zip_with(there["instant"].is_not_null(), stated)
    return pl.DataFrame(
        [instant.alias("instant"), there["ambiguous"], guessed.is_not_null().alias("guessed"), local.alias("local")]
    )


def _on_calendars(stated: pl.Series, labelled: pl.DataFrame) -> pl.Series:
    """What a feed's clock shows at stated instants where labels are days or months; else null."""
    dated = labelled["label"].is_in([Label.DAY, Label.MONTH])
    if not dated.any():
        return _none(LOCAL)
    return off_clock(stated.zip_with(dated, _none(INSTANT)), labelled["clock"])


def _none(dtype: pl.Datetime) -> pl.Series:
    return pl.Series([None], dtype=dtype)


def _completed(texts: pl.Series, label: pl.Series) -> pl.Series:
    """A date alone is midnight where labels are days, a month alone its first midnight where they are months."""
    days, months = label == Label.DAY, label == Label.MONTH
    if not (days | months).any():
        return texts
    dates = (days | months) & texts.str.contains(_DATE)
    texts = texts.zip_with(~dates.fill_null(value=False), texts + "T00:00")
    only_months = months & texts.str.contains(_YEAR_AND_MONTH)
    return texts.zip_with(~only_months.fill_null(value=False), texts + "-01T00:00")


def _floored(local: pl.Series, label: pl.Series) -> pl.Series:
    """A day's or a month's label names its first midnight, whatever time of day is written there."""
    for kind, period in ((Label.DAY, "1d"), (Label.MONTH, "1mo")):
        there = label == kind
        if there.any():
            local = local.dt.truncate(period).zip_with(there, local)
    return local


def _month_ends(local: pl.Series, labelled: pl.DataFrame) -> pl.Series:
    months = labelled["label"] == Label.MONTH
    if not months.any():
        return _none(INSTANT).new_from_index(0, len(local))
    next_month = local.dt.offset_by("1mo").zip_with(months, _none(LOCAL))
    return on_clock(next_month, labelled["clock"])["instant"]


def _guessed(texts: pl.Series, read: pl.Series) -> pl.Series:
    """Integers as instants; null where the text was read already, or is no plausible integer."""
    if read.null_count() == texts.null_count():
        return _none(INSTANT).new_from_index(0, len(texts))
    integers = texts.str.contains(_INTEGER).fill_null(value=False)
    numbers = texts.cast(pl.Int64, strict=False).zip_with(integers, pl.Series([None], dtype=pl.Int64))
    return epoch_us(numbers).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
