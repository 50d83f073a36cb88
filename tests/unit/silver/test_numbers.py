"""Exact decimals from the text of a number."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.silver.numbers import is_blank, loses_digits, read_decimals

EXACTLY = Context(prec=20_000, rounding=ROUND_HALF_EVEN, Emax=10**8, Emin=-(10**8))
LARGEST = Decimal("9999999999.99999999")


def read(text: str | None) -> tuple[Decimal | None, bool, bool]:
    return read_decimals([pl.Series([text], dtype=pl.String)])[0].row(0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("31.25", "31.25"),
        (".61", "0.61"),
        ("-.79", "-0.79"),
        ("200", "200"),
        ("200.", "200"),
        ("-98.65", "-98.65"),
        ("1.5e1", "15"),
        ("0.05E+2", "5"),
        ("9999999999.99999999", "9999999999.99999999"),
        ("-9999999999.99999999", "-9999999999.99999999"),
        ("0000000000000031.25", "31.25"),
        ("1.000000000000", "1"),
        ("0e99999999999999999999", "0"),
    ],
)
def test_reads_a_number_exactly(text: str, value: str) -> None:
    assert read(text) == (Decimal(value), False, False)


@pytest.mark.parametrize("text", ["0", "-0", "-0.0", "-0e5"])
def test_has_only_one_zero(text: str) -> None:
    assert str(read(text)[0]) == "0E-8"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("31.123456789012345678", "31.12345679"),
        ("5e-9", "0"),
        ("1.5e-8", "0.00000002"),
        ("0.000000005", "0"),
        ("0.0000000050000000000001", "0.00000001"),
        ("0.000000015", "0.00000002"),
        ("-0.000000015", "-0.00000002"),
        ("1e-400", "0"),
        ("1e-99999999999999999999", "0"),
        ("9999999999.999999994", "9999999999.99999999"),
    ],
)
def test_rounds_finer_digits_half_even_and_says_so(text: str, value: str) -> None:
    assert read(text) == (Decimal(value), False, True)


@pytest.mark.parametrize(
    "text",
    [
        "10000000000",
        "9999999999.999999995",
        "12345678901234567890",
        "1e400",
        "1e99999999999999999999",
        "NaN",
        "inf",
        "-Infinity",
        "true",
        "+5",
        "1_000",
        "52,98",
        "1 000",
        " 5",
        "5 ",
        "5\n",
        "--5",
        ".",
        "-",
        "1e",
        "e5",
        "1e5.0",
        "0x10",
        "٣١",
        "1" + "0" * 64,
        "0." + "0" * 63,
        "abc",
    ],
)
def test_refuses_what_is_no_number_or_too_large(text: str) -> None:
    assert read(text) == (None, True, False)


@pytest.mark.parametrize("text", [None, "", " ", "\t \n"])
def test_takes_nothing_for_missing_and_not_for_zero(text: str | None) -> None:
    assert read(text) == (None, False, False)
    assert is_blank(pl.Series([text], dtype=pl.String)).to_list() == [True]


def test_reads_a_column_of_nothing() -> None:
    assert read_decimals([pl.Series([None, None], dtype=pl.String)])[0].rows() == [(None, False, False)] * 2


def test_one_odd_number_leaves_its_neighbours_alone() -> None:
    texts = pl.Series(["1.5", "x", "2.123456789", None, "3e0"])
    assert read_decimals([texts])[0].rows() == [
        (Decimal("1.5"), False, False),
        (None, True, False),
        (Decimal("2.12345679"), False, True),
        (None, False, False),
        (Decimal(3), False, False),
    ]


@pytest.mark.parametrize(("text", "loses"), [("1.12345678", False), ("1.123456780", False), ("1.123456789", True)])
def test_knows_which_numbers_lose_digits(text: str, loses: bool) -> None:
    assert loses_digits(text) is loses


digits = st.text("0123456789", max_size=24)
exponents = st.one_of(
    st.just(""), st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 30))
)


@given(st.sampled_from(["", "-"]), digits, st.sampled_from(["", "."]), digits, exponents)
def test_agrees_with_decimal_arithmetic(sign: str, whole: str, point: str, part: str, exponent: str) -> None:
    part = part if point else ""
    text = f"{sign}{whole or ('' if part else '0')}{point}{part}{exponent}"
    exact = EXACTLY.create_decimal(text)
    rounded = exact.quantize(Decimal("1e-8"), context=EXACTLY)
    expected = (None, True, False) if abs(rounded) > LARGEST else (rounded, False, rounded != exact)
    assert read(text) == expected
