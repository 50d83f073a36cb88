"""
Times as sources spell them, compared: two spellings of one instant are equal.

Texts without a zone are UTC's. What a price is for, its feed's policy decides (domain/silver/labels.py); this only tells
whether two rows, or a row and a connector's summary, speak of one time.
"""

import re
from datetime import datetime
from functools import lru_cache

import polars as pl

from domain.silver.feed import UTC, Label
from domain.silver.labels import read_instants

_USUAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[+-]00:00|Z)?")
"""Nearly all times are spelled so, and need not be read to be compared."""
_LONGEST = 128
"""Longer texts are taken for no time, so that what is remembered stays small."""
_CLOCK = pl.DataFrame({"clock": [UTC], "label": [Label.START], "naive_by_policy": [False]})


def moment(stated: str | None) -> str | tuple[str, ...]:
    """A time in one spelling, so that all texts of one instant are equal; in a tuple what is no time."""
    stated = stated or ""
    if usual := _USUAL.fullmatch(stated):
        return usual[1]
    return (stated,) if len(stated) > _LONGEST else _unusual(stated)


@lru_cache(4096)
def _unusual(stated: str) -> str | tuple[str, ...]:
    instant: datetime | None = read_instants(pl.Series([stated]), _CLOCK)["instant"][0]
    return (stated.strip(),) if instant is None else instant.replace(tzinfo=None).isoformat()
