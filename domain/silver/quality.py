"""
Quality flags: what is odd about a tick that is kept.

Record flags are functions of the raw record and its feed's label policy alone; only they are in silver ticks and bars.
The others are set at enrichment or later and change no bar. A rule is a function named after its flag, whose
parameters are the columns it reads; its body is operators, so it takes a float in a test and a polars expression here.

Source: contracts.md §2, flags; specification §11.
"""

from collections.abc import Mapping
from enum import IntFlag
from typing import Any

import polars as pl

YEAR_US = 365 * 86_400 * 1_000_000


class Flag(IntFlag):
    """A bit a flag. In batches a row's flags are one integer; at the border they are sorted names."""

    PRICE_NEGATIVE = 1 << 0
    """The price is below zero: a fact, no alarm."""
    VOLUME_NEGATIVE = 1 << 1
    """The quantity is below zero; kept as stated."""
    PRECISION_LOSS = 1 << 2
    """A number had more than 8 decimal places and was rounded half-even."""
    TS_FUTURE = 1 << 3
    """Further ahead of its ingestion than its feed may speak; enters no window, watermark or latest price."""
    TS_ANCIENT = 1 << 4
    """More than 365 days before its ingestion."""
    TS_AMBIGUOUS = 1 << 5
    """A local time that exists twice; the first was taken."""
    TS_UNIT_GUESSED = 1 << 6
    """The time was a number whose unit was taken from its size."""
    INGESTED_AT_ASSUMED = 1 << 7
    """The connector's time of knowledge was unusable; the Kafka record's timestamp was taken."""
    FEED_POLICY_ASSUMED = 1 << 8
    """The run is unknown; its label was read as the start of an interval."""
    BAD_SEQUENCE = 1 << 9
    """The sequence was no integer from 0 to 2^63 - 1; 0 was taken."""
    BAD_COMPONENT = 1 << 10
    """A component was no number; it is null."""
    SOURCE_CONFLICT = 1 << 11
    """The message contradicts itself; its last row, or its raw payload, was taken."""
    COMPONENT_MISMATCH = 1 << 12
    """The price differs from the sum of its components by more than 0.0001, each rounded to 8 places first."""
    COMPONENT_INCOMPLETE = 1 << 13
    """The same on a CAISO tick without a greenhouse-gas row."""
    MISSING_METADATA = 1 << 16
    """The catalog doesn't know the instrument."""
    PRICE_OUT_OF_RANGE = 1 << 17
    """The price is outside the limits that hold for its instrument."""


RECORD_FLAGS = Flag((1 << 16) - 1)
"""Flags that a raw record and its feed's policy alone decide."""

BAR_FLAGS = RECORD_FLAGS & ~(Flag.TS_FUTURE | Flag.TS_ANCIENT | Flag.INGESTED_AT_ASSUMED)
"""Flags a bar takes over from its ticks."""


def price_negative(price: Any) -> Any:
    """A price below zero: ordinary in power, a fact and no alarm."""
    return price < 0


def volume_negative(volume: Any) -> Any:
    """A quantity below zero, which is kept as it was stated."""
    return volume < 0


def ts_future(ts_us: Any, ingested_at_us: Any, horizon_us: Any) -> Any:
    """
    A price for an instant further ahead of its ingestion than its feed may speak.

    Args:
        ts_us: The instant the price is for, µs.
        ingested_at_us: When the connector knew it, µs; never our clock.
        horizon_us: The feed's horizon, µs.

    Source: contracts.md §1. The tick is kept, but enters no window, watermark or latest price.
    """
    return ts_us > ingested_at_us + horizon_us


def ts_ancient(ts_us: Any, ingested_at_us: Any) -> Any:
    """A price for an instant more than 365 days before its ingestion; both in µs."""
    return ts_us < ingested_at_us - YEAR_US


def component_gap(price: Any, energy: Any, congestion: Any, loss: Any, greenhouse_gas: Any, tolerance: Any) -> Any:
    """
    The price differs from the sum of its components by more than a tolerance.

    Args:
        price: Locational price, in any unit of money.
        energy: Energy component, same unit; null where not given.
        congestion: Congestion component, same unit; null where not given.
        loss: Loss component, same unit; null where not given.
        greenhouse_gas: Greenhouse-gas component, same unit; 0 where not given.
        tolerance: Same unit; rounding of the published figures.

    Returns:
        True where it differs; null where a component is null.

    Source: contracts.md §2, COMPONENT_MISMATCH; conventions.md §1.2 (LMP = MCE + MCC + MCL + MGHG).
    """
    gap = price - (energy + congestion + loss + greenhouse_gas)
    return (gap > tolerance) | (gap < -tolerance)


def component_mismatch(gap: Any, incomplete: Any) -> Any:
    """All components are known, and the price is not their sum."""
    return gap & ~incomplete


def component_incomplete(gap: Any, incomplete: Any) -> Any:
    """The price is not the sum of its components, but one component is known to be unpublished here."""
    return gap & incomplete


def eligible(quality_flags: pl.Series) -> pl.Series:
    """
    Whether ticks may enter windows and be latest prices: one from beyond its feed's horizon would hold its place until then.

    Args:
        quality_flags: Flags per tick as a bitmask.

    Source: contracts.md §1, odd input, TS_FUTURE.
    """
    return (quality_flags & int(Flag.TS_FUTURE)) == 0


def flagged(flags: pl.Series, rules: Mapping[Flag, pl.Series]) -> pl.Series:
    """The flags each row has already, and those whose rule holds for it; a rule that is null doesn't hold."""
    for flag, holds in rules.items():
        if holds.any():
            flags = flags | (holds.fill_null(value=False).cast(pl.UInt32) * int(flag))
    return flags
