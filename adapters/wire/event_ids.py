"""
Ids of events: a 128-bit hash of (topic, natural key, version), the same on every machine and in every release.

Hashing row by row would cost a third of encoding. So each text is hashed once per distinct value, and texts and
numbers are mixed into two 64-bit lanes, column by column, by the finaliser of splitmix64. That is a bijection, so two
keys that differ in one number never meet. The id is both lanes in hexadecimal.
"""

from collections.abc import Sequence

import polars as pl

from adapters.wire.event_columns import halves_of, hexadecimal_pairs
from domain.identity import text_hash, text_hashes

SEEDS = 0x243F6A8885A308D3, 0x13198A2E03707344
"""What tells the lanes apart: the first digits of pi's fraction."""

FIRST_SHIFT, SECOND_SHIFT, THIRD_SHIFT = 1 << 30, 1 << 27, 1 << 31
FIRST_FACTOR, SECOND_FACTOR = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
GOLDEN = 0x9E3779B97F4A7C15
"""Keeps a lane moving where lane and number are equal. Source: splitmix64, Steele, Lea and Flood 2014."""

Lanes = tuple[pl.Series, pl.Series]


def key_lanes(texts: Sequence[pl.Series], numbers: Sequence[pl.Series]) -> Lanes:
    """
    Both lanes of the hash of a natural key.

    Args:
        texts: At least one column of texts, without nulls.
        numbers: Columns of integers or instants, at most 128 bits, without nulls.
    """
    first, *others = text_hashes(texts)
    lanes = _mix(first, _one(SEEDS[0])), _mix(first, _one(SEEDS[1]))
    return with_numbers(lanes, [*others, *numbers])


def with_numbers(lanes: Lanes, numbers: Sequence[pl.Series]) -> Lanes:
    """Both lanes after columns of numbers."""
    for number in numbers:
        for half in _halves(number):
            lanes = _mix(lanes[0], half), _mix(lanes[1], half)
    return lanes


def with_topic(lanes: Lanes, topic: str) -> Lanes:
    """Both lanes after the topic."""
    return with_numbers(lanes, [_one(text_hash(topic))])


def id_text(lanes: Lanes) -> pl.Series:
    """Ids as 32 hexadecimal digits."""
    return hexadecimal_pairs(*lanes)


def _halves(number: pl.Series) -> list[pl.Series]:
    if number.dtype == pl.UInt64:
        return [number]
    if number.dtype != pl.UInt128:
        return [number.to_physical().cast(pl.Int64).reinterpret(signed=False)]
    return [*halves_of(number)]


def _one(number: int) -> pl.Series:
    return pl.Series([number], dtype=pl.UInt64)


def _mix(lane: pl.Series, value: pl.Series) -> pl.Series:
    mixed = (lane ^ value) + _one(GOLDEN)
    mixed = (mixed ^ (mixed // _one(FIRST_SHIFT))) * _one(FIRST_FACTOR)
    mixed = (mixed ^ (mixed // _one(SECOND_SHIFT))) * _one(SECOND_FACTOR)
    return mixed ^ (mixed // _one(THIRD_SHIFT))
