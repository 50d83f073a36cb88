"""
Exact decimals from the text of a number, never through a float.

Source: contracts.md §1, numbers; §2, price. Up to ten digits before the point and eight after it; finer ones are
rounded half-even, once.
"""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from domain.batch import PRICE, columnwise

LONGEST_NUMBER = 64
PLACES = 8

_PLAIN = r"^-?(?:[0-9]{1,10}(?:\.[0-9]{0,8})?|\.[0-9]{1,8})$"
_NUMBER = r"^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_FINER = r"^[^eE]*\.[0-9]{8}[0-9]*[1-9]"
_EXPONENT = r"[eE]"
_HUGE_EXPONENT = r"([eE][+-]?)0*[1-9][0-9]{3,}$"


def is_blank(texts: pl.Series) -> pl.Series:
    """Whether nothing is stated: null, empty or white space."""
    return texts.to_frame("text").select_seq(_BLANK).to_series()


_BLANK = (pl.col("text").str.strip_chars() == "").fill_null(value=True)
"""One expression: each operation on a column alone costs as much again."""


def read_decimals(columns: Sequence[pl.Series]) -> list[pl.DataFrame]:
    r"""
    Read columns of numbers exactly.

    Args:
        columns: Of one length; numbers as `-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?` in ASCII digits, at most 64 characters.

    Returns:
        Of each `value` (Decimal(18,8); null where nothing is stated or it is refused), `refused` (stated, but no such
        number or beyond 9999999999.99999999) and `lost` (digits were rounded away).
    """
    others = columnwise(columns, ~pl.all().str.contains(_PLAIN))
    return [_read(texts, odd) if odd.any() else _read_plain(texts) for texts, odd in zip(columns, others, strict=True)]


def _read(texts: pl.Series, others: pl.Series) -> pl.DataFrame:
    """Numbers of which some are not plain."""
    read = _read_plain(texts.zip_with(~others, pl.Series([None], dtype=pl.String)))
    return _with(read, others.fill_null(value=False), _read_any(texts.filter(others)))


def _read_plain(texts: pl.Series) -> pl.DataFrame:
    """Numbers that have no exponent and fit as they are."""
    nowhere = pl.Series([False]).new_from_index(0, len(texts))
    return pl.DataFrame({"value": texts.cast(PRICE), "refused": nowhere, "lost": nowhere})


def _with(read: pl.DataFrame, others: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
    """What was read, with these rows in place of the others."""
    places = pl.arange(len(read), dtype=pl.UInt32, eager=True)
    moved = places.scatter(others.arg_true(), pl.arange(len(read), len(read) + len(found), dtype=pl.UInt32, eager=True))
    return pl.concat([read, found])[moved]


def _read_any(texts: pl.Series) -> pl.DataFrame:
    number = (texts.str.contains(_NUMBER) & (texts.str.len_bytes() <= LONGEST_NUMBER)).fill_null(value=False)
    value = texts.str.replace(_HUGE_EXPONENT, "${1}999").cast(PRICE, strict=False)
    value = value.zip_with(number, pl.Series([None], dtype=PRICE))
    stated = ~is_blank(texts)
    return pl.DataFrame({"value": value, "refused": stated & value.is_null(), "lost": _lost(texts, value)})


def _lost(texts: pl.Series, value: pl.Series) -> pl.Series:
    read = value.is_not_null()
    lost = read & texts.str.contains(_FINER)
    with_exponent = (read & texts.str.contains(_EXPONENT)).fill_null(value=False)
    rows = with_exponent.arg_true()
    finer = [loses_digits(text) for text in texts.str.replace(_HUGE_EXPONENT, "${1}999").filter(with_exponent)]
    return lost.fill_null(value=False).scatter(rows, pl.Series(finer, dtype=pl.Boolean))


def loses_digits(text: str) -> bool:
    """Whether a number has digits other than 0 beyond the eighth place."""
    _, digits, exponent = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    trailing = len(digits) - len(significant)
    return bool(significant) and int(exponent) + trailing < -PLACES
