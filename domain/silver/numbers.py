"""
Exact decimals from the text of a number, never through a float.

Source: contracts.md §1, numbers; §2, price. Up to ten digits before the point and eight after it; finer ones are
rounded half-even, once.
"""

from decimal import Decimal

import polars as pl

from domain.batch import PRICE

LONGEST_NUMBER = 64
PLACES = 8

_PLAIN = r"^-?(?:[0-9]{1,10}(?:\.[0-9]{0,8})?|\.[0-9]{1,8})$"
_NUMBER = r"^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_FINER = r"^[^eE]*\.[0-9]{8}[0-9]*[1-9]"
_EXPONENT = r"[eE]"
_HUGE_EXPONENT = r"([eE][+-]?)0*[1-9][0-9]{3,}$"


def is_blank(texts: pl.Series) -> pl.Series:
    """Whether nothing is stated: null, empty or white space."""
    return (texts.str.strip_chars() == "").fill_null(value=True)


def read_decimals(texts: pl.Series) -> pl.DataFrame:
    r"""
    Read numbers exactly.

    Args:
        texts: Numbers as `-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?` in ASCII digits, at most 64 characters.

    Returns:
        `value` (Decimal(18,8); null where nothing is stated or it is refused), `refused` (stated, but no such number or
        beyond 9999999999.99999999) and `lost` (digits were rounded away).
    """
    if texts.str.contains(_PLAIN).all():
        nowhere = pl.Series([False]).new_from_index(0, len(texts))
        return pl.DataFrame(
            {"value": texts.cast(PRICE), "refused": nowhere, "lost": nowhere}, schema_overrides={"value": PRICE}
        )
    return _read_any(texts)


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
