"""Who is who: instruments, symbols, versions."""

import re
import zlib
from hashlib import sha256

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity import (
    NAME,
    SERIES,
    coordinate_bits,
    instrument_id,
    symbol,
    text_hash,
    text_hashes,
    topic_hash,
    version,
)

LONG = "CAISO.LMP.DAM." + "N" * 60


def suffix(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits].upper()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MISO.LMP.RT.INDIANA.HUB", "MISO.LMP.RT.INDIANA.HUB"),
        ("CAISO.LMP.DAM.TH_NP15_GEN-APND", "CAISO.LMP.DAM.TH_NP15_GEN-APND"),
        ("ng_hh_balmo", "NG_HH_BALMO"),
        ("NYISO.LBMP.RT.HUD VL", "NYISO.LBMP.RT.HUD-VL"),
        ("EEX.DEB.M.2022-05-01", "EEX.DEB.M.2022-05-01"),
        ("A:B", "A:B"),
        ("N" * 64, "N" * 64),
    ],
)
def test_keeps_ordinary_names(name: str, expected: str) -> None:
    assert instrument_id(name) == expected


def test_marks_odd_characters_with_the_names_own_hash() -> None:
    name = "X'; DROP"
    assert instrument_id(name) == f"X---DROP-{suffix(name, 8)}"


def test_shortens_long_names_and_marks_them() -> None:
    assert instrument_id(LONG) == f"{LONG[:47]}-{suffix(LONG, 16)}"


@pytest.mark.parametrize(
    "look_alike", ["INDI\u0410NA.HUB", "\u0131nd\u0131ana.hub", "INDIANA\u00a0.HUB", "INDIANA\u200b.HUB"]
)
def test_never_turns_a_look_alike_into_the_real_hub(look_alike: str) -> None:
    assert instrument_id(look_alike) != "INDIANA.HUB"
    assert instrument_id(look_alike).endswith(suffix(look_alike, 8))


def test_keeps_the_case_of_symbols() -> None:
    assert symbol("Ind.Hub 1") == "Ind.Hub-1"
    assert symbol("Ind/Hub") == f"Ind-Hub-{suffix('Ind/Hub', 8)}"
    assert symbol("n" * 65) == f"{'n' * 47}-{suffix('n' * 65, 16)}"


@given(st.text(min_size=1))
def test_ids_and_symbols_fit_their_patterns(name: str) -> None:
    assert re.fullmatch(r"[A-Z0-9._:-]{1,64}", instrument_id(name))
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", symbol(name))


def canonical(name: str) -> str:
    return "".join(c.upper() if c.isascii() else c for c in name).replace(" ", "-")


@given(st.text("aAB -/.é", min_size=1, max_size=8), st.text("aAB -/.é", min_size=1, max_size=8))
def test_different_names_give_different_ids_but_for_case_and_a_space(one: str, other: str) -> None:
    if canonical(one) != canonical(other):
        assert instrument_id(one) != instrument_id(other)


@given(st.text("AB", min_size=60, max_size=70), st.text("AB", min_size=60, max_size=70))
def test_different_long_names_give_different_ids(one: str, other: str) -> None:
    assert (instrument_id(one) == instrument_id(other)) == (one == other)


def test_hashes_texts_as_clickhouse_does() -> None:
    assert text_hash("miso.lmp.rt") == int(sha256(b"miso.lmp.rt").hexdigest()[:16], 16)


def test_hashes_each_text_of_a_column() -> None:
    texts = pl.Series(["a", "b", None, "a"])
    expected = [text_hash("a"), text_hash("b"), None, text_hash("a")]
    told = text_hashes([texts, texts.cast(pl.Categorical), texts.cast(NAME), texts.cast(SERIES)])
    assert [hashes.to_list() for hashes in told] == [expected] * 4


def test_a_version_grows_with_knowledge() -> None:
    assert version(1_000, 4095) < version(1_001, 0)
    assert version(1_723_161_600_164_378, 7) == 1_723_161_600_164_378 * 4096 + 7


coordinates = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 1000), st.integers(0, 2**40), st.integers(0, 10_000))


@given(coordinates)
def test_coordinates_fold_into_twelve_bits(at: tuple[int, int, int, int]) -> None:
    assert 0 <= coordinate_bits(*at) < 4096


@given(st.lists(coordinates, min_size=1))
def test_coordinates_fold_alike_in_columns(rows: list[tuple[int, int, int, int]]) -> None:
    columns = [pl.Series(column, dtype=pl.Int64) for column in zip(*rows, strict=True)]
    assert coordinate_bits(*columns).to_list() == [coordinate_bits(*row) for row in rows]


def test_neighbours_in_a_log_never_share_a_version() -> None:
    topic = topic_hash("ingestion.miso.raw.v1")
    assert len({coordinate_bits(topic, 0, offset, 0) for offset in range(4096)}) == 4096
    assert len({coordinate_bits(topic, 0, 0, index) for index in range(4096)}) == 4096


def test_a_topic_counts_by_its_crc() -> None:
    assert topic_hash("ingestion.miso.raw.v1") == zlib.crc32(b"ingestion.miso.raw.v1")
