"""
Who is who: tenants, instruments, keys, versions. Source: contracts.md §2.

A name becomes an id by rules that never let a look-alike turn into a real hub: only ASCII letters are upper-cased,
a space is a hyphen, and any other odd character costs the id a suffix made of the name's own SHA-256.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, cast
from zlib import crc32

import attrs
import polars as pl

from domain.batch import INSTANT, columnwise

SERIES = pl.Categorical(pl.Categories("series"))
"""Type of the column that keys events, `tenant_id|instrument_id`; its physical code is stable within a process."""

NAME = pl.Categorical(pl.Categories("names"))
"""Type of a column of sources, tenants, currencies or units where it is compared or hashed often."""

_HELD = pl.Series(["|"], dtype=SERIES), pl.Series([""], dtype=NAME)
"""Keeps the codes stable: polars forgets them once no column holds one, and memories hold codes without their columns."""

LONGEST_NAME = 64
COORDINATE_SLOTS = 4096
"""Versions that one microsecond of knowledge has room for: 12 bits."""

NAMES_REMEMBERED = 131_072
"""Distinct names whose ids are kept at hand; the markets together have about 45,000 locations."""

_ODD_IN_ID = re.compile(r"[^A-Z0-9._:-]")
_ODD_IN_SYMBOL = re.compile(r"[^A-Za-z0-9._:-]")
_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}


@lru_cache(NAMES_REMEMBERED)
def instrument_id(name: str) -> str:
    """
    Name one price series, in at most 64 characters of `[A-Z0-9._:-]`.

    Args:
        name: Parts joined by '.', e.g. `MISO.LMP.RT.INDIANA.HUB`, as the market writes them.

    Returns:
        The id. Different names give different ids but for case of ASCII letters, and for a space and a hyphen.

    Source: contracts.md §1, names; §2, instrument_id.
    """
    return _within_length(_without_odd(name.translate(_UPPER).replace(" ", "-"), name, _ODD_IN_ID))


@lru_cache(NAMES_REMEMBERED)
def symbol(name: str) -> str:
    """Write a market's own name of a location or contract in at most 64 characters of `[A-Za-z0-9._:-]`."""
    return _within_length(_without_odd(name.replace(" ", "-"), name, _ODD_IN_SYMBOL))


def _without_odd(spelled: str, original: str, odd: re.Pattern[str]) -> str:
    plain = odd.sub("-", spelled)
    return plain if plain == spelled else f"{plain}-{_hex(original, 8)}"


def _within_length(spelled: str) -> str:
    return spelled if len(spelled) <= LONGEST_NAME else f"{spelled[:47]}-{_hex(spelled, 16)}"


def _hex(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits].upper()


@lru_cache(NAMES_REMEMBERED)
def text_hash(text: str) -> int:
    """First 8 bytes of a text's SHA-256, as an unsigned number. ClickHouse: `reinterpretAsUInt64(reverse(left(SHA256(x), 8)))`."""
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def text_hashes(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """
    The `text_hash` of each text of these columns, computed once per distinct text. UInt64; null for null.

    Args:
        columns: Of one length; of type SERIES or NAME, whose hashes are remembered, or other texts, whose are not.
    """
    remembered = [texts for texts in columns if texts.dtype in _HASHES]
    codes = iter(columnwise(remembered, pl.all().to_physical()) if remembered else ())
    return [
        _HASHES[texts.dtype].of_codes(next(codes), texts) if texts.dtype in _HASHES else _hashed(texts)
        for texts in columns
    ]


def _hashed(texts: pl.Series) -> pl.Series:
    distinct = texts.cast(pl.String).unique()
    hashes = [None if text is None else text_hash(text) for text in distinct]
    return texts.cast(pl.String).replace_strict(distinct, pl.Series(hashes, dtype=pl.UInt64))


def covering(known: pl.Series, codes: pl.Series, absent: pl.Series) -> pl.Series:
    """
    A column by the codes of a category, with room for all of these.

    Args:
        known: What is known by code.
        codes: Codes as `to_physical` gives them; none is fine.
        absent: The one value that stands where nothing is known.

    Returns:
        `known`, or a longer copy: grown by half as much again, so that growing stays rare.
    """
    missing = cast("int", codes.max()) + 1 - len(known) if len(codes) > codes.null_count() else 0
    if missing <= 0:
        return known
    return pl.concat([known, absent.new_from_index(0, missing + len(known) // 2)], rechunk=True)


@attrs.define
class ByCode:
    """
    A number for each text of a category, found once and kept by its code, so that a million rows are one gather.

    Threads may share it: each works on a column of its own, and at worst a number is found twice.
    """

    find: Callable[[str], int]
    absent: pl.Series
    """The one value that `find` never returns."""
    _known: pl.Series = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._known = self.absent.clear()

    def of(self, texts: pl.Series) -> pl.Series:
        """The number of each text; null for null."""
        return self.of_codes(texts.to_physical(), texts)

    def of_codes(self, codes: pl.Series, texts: pl.Series) -> pl.Series:
        """The same where their codes are known."""
        known = covering(self._known, codes, self.absent)
        numbers = known[codes]
        unknown = numbers == self.absent
        if not unknown.any():
            return numbers
        new = texts.filter(unknown).unique()
        found = pl.Series([self.find(text) for text in new.cast(pl.String)], dtype=known.dtype)
        self._known = known = known.clone().scatter(new.to_physical(), found)
        return known[codes]


_NO_HASH = pl.Series([0], dtype=pl.UInt64)
_HASHES: Mapping[Any, ByCode] = {SERIES: ByCode(text_hash, _NO_HASH), NAME: ByCode(text_hash, _NO_HASH)}


def topic_hash(topic: str) -> int:
    """CRC-32 of a topic's name, the topic's part of `coordinate_bits`."""
    return crc32(topic.encode())


def coordinate_bits(topic: Any, partition: Any, offset: Any, index: Any) -> Any:
    """
    Fold raw coordinates into 12 bits, so that two statements of one microsecond rarely share a version.

    Args:
        topic: The topic's `topic_hash`.
        partition: Raw partition.
        offset: Raw offset.
        index: Row within the message, from 0.
    """
    spread = topic + 977 * partition + offset % 4096 + 1531 * (offset // 4096 % 4096) + 2287 * index
    return spread % COORDINATE_SLOTS


def known_at(version: pl.Series) -> pl.Series:
    """When the connector knew what has this version, as an instant."""
    slots = pl.Series([COORDINATE_SLOTS], dtype=pl.UInt64)
    return (version // slots).cast(INSTANT)


def version(ingested_at_us: Any, bits: Any) -> Any:
    """
    Say which of two statements about one key is the newer knowledge: the higher.

    Args:
        ingested_at_us: When the connector knew it, µs since the epoch.
        bits: Its `coordinate_bits`, which order statements of one microsecond.

    Source: contracts.md §2, version. A function of the raw record alone, never of our clock.
    """
    return ingested_at_us * COORDINATE_SLOTS + bits
