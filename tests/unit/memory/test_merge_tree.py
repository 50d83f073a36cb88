from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.merge_tree import FANOUT, Layout, MergeTree
from domain.gold.interval import MINUTES

SCHEMA = {"series": pl.Int64, "minute": pl.Int64, "version": pl.Int64, "text": pl.String}
Row = tuple[int, int, int, str]


def place(rows: pl.DataFrame) -> pl.Series:
    return rows["series"] * MINUTES + rows["minute"]


def tree(*batches: list[Row]) -> MergeTree:
    made = MergeTree(Layout(place, lambda rows: [rows["version"]], place), SCHEMA)
    for batch in batches:
        made.insert(pl.DataFrame(batch, schema=SCHEMA, orient="row"))
    return made


def spans(made: MergeTree, *windows: tuple[int, int, int]) -> list[Any]:
    """Rows of (series, from minute, to minute) windows, sorted."""
    ordered = sorted(windows)
    low = pl.Series([series * MINUTES + begin for series, begin, _ in ordered], dtype=pl.Int64)
    high = pl.Series([series * MINUTES + end for series, _, end in ordered], dtype=pl.Int64)
    return sorted(made.spans(low, high).rows())


def test_of_one_key_the_highest_version_stays_whatever_came_last() -> None:
    assert tree([(1, 5, 2, "newer")], [(1, 5, 1, "older")]).all().rows() == [(1, 5, 2, "newer")]
    assert tree([(1, 5, 1, "older"), (1, 5, 2, "newer")]).all().rows() == [(1, 5, 2, "newer")]


def test_a_window_holds_its_start_and_not_its_end() -> None:
    made = tree([(1, minute, 1, "x") for minute in range(10)])
    assert [minute for _, minute, _, _ in spans(made, (1, 3, 5))] == [3, 4]
    assert [minute for _, minute, _, _ in spans(made, (1, 0, 1), (1, 8, 20))] == [0, 8, 9]


def test_series_keep_apart() -> None:
    made = tree([(1, 5, 1, "a"), (2, 5, 1, "b")])
    assert spans(made, (2, 0, 10)) == [(2, 5, 1, "b")]
    assert spans(made, (3, 0, 10)) == []


def test_nothing_asked_and_nothing_held_give_nothing() -> None:
    assert spans(tree([(1, 5, 1, "a")])) == []
    assert spans(tree(), (1, 0, 10)) == []
    assert spans(tree([]), (1, 0, 10)) == []
    assert tree().all().rows() == []
    assert tree().all().schema == SCHEMA


def test_windows_that_meet_no_run_read_none() -> None:
    made = tree([(1, 5, 1, "a")], [(1, 500, 1, "b")])
    assert spans(made, (1, 100, 200)) == []
    assert spans(made, (1, 0, 10), (1, 490, 600)) == [(1, 5, 1, "a"), (1, 500, 1, "b")]


def test_merging_runs_loses_nothing_and_forgets_what_was_replaced() -> None:
    batches = [[(1, minute % 7, minute, str(minute))] for minute in range(FANOUT * FANOUT + 3)]
    made = tree(*batches)
    last = {minute % 7: minute for minute in range(len(batches))}
    assert sorted(made.all().rows()) == [(1, minute, version, str(version)) for minute, version in sorted(last.items())]
    assert sum(run.rows().height for run in made._runs) < len(batches)


rows = st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 10**6)).map(lambda row: (*row, str(row[2])))
windows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(1, 5)), max_size=4, unique_by=lambda w: w[0]
).map(lambda found: [(series, begin, begin + length) for series, begin, length in found])


@given(st.lists(st.lists(rows, max_size=6), max_size=14), windows)
def test_it_holds_what_a_dictionary_would(batches: list[list[Row]], asked: list[tuple[int, int, int]]) -> None:
    best: dict[tuple[int, int], Row] = {}
    for row in (row for batch in batches for row in batch):
        key = row[:2]
        if key not in best or best[key][2] < row[2]:
            best[key] = row
    made = tree(*batches)
    assert sorted(made.all().rows()) == sorted(best.values())
    inside = [
        row for row in best.values() if any(row[0] == series and begin <= row[1] < end for series, begin, end in asked)
    ]
    assert spans(made, *asked) == sorted(inside)
