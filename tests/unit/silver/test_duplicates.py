"""A bounded memory of winning statements, against a dictionary that does the same."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from domain.silver.duplicates import Winners, corrects

Known = tuple[int | None, int | None]


def words(*values: int) -> pl.Series:
    return pl.Series(values, dtype=pl.UInt64)


def remember(winners: Winners, *statements: tuple[int, int, int]) -> None:
    keys, versions, contents = zip(*statements, strict=True)
    winners.remember(words(*keys), words(*versions), words(*contents))


def known(winners: Winners, *keys: int) -> list[Known]:
    return winners.lookup(words(*keys)).rows()


def test_knows_what_it_was_told() -> None:
    winners = Winners()
    remember(winners, (7, 10, 100), (8, 20, 200))
    assert known(winners, 8, 9, 7) == [(20, 200), (None, None), (10, 100)]


def test_knows_nothing_at_first() -> None:
    assert known(Winners(), 7) == [(None, None)]
    assert known(Winners()) == []


def test_the_higher_version_stays_in_whatever_order_it_comes() -> None:
    winners = Winners()
    remember(winners, (7, 10, 100), (7, 30, 300), (7, 20, 200))
    remember(winners, (7, 25, 250))
    assert known(winners, 7) == [(30, 300)]


def test_at_equal_versions_the_greater_content_stays() -> None:
    winners = Winners()
    remember(winners, (7, 10, 100), (7, 10, 300), (7, 10, 200))
    assert known(winners, 7) == [(10, 300)]


def test_forgets_a_key_and_may_learn_it_anew() -> None:
    winners = Winners()
    remember(winners, (7, 10, 100), (8, 20, 200))
    winners.forget(words(7, 9))
    assert known(winners, 7, 8) == [(None, None), (20, 200)]
    remember(winners, (7, 5, 50))
    assert known(winners, 7) == [(5, 50)]


def test_keys_that_share_a_slot_do_not_disturb_each_other() -> None:
    winners = Winners()
    clashing = [4096 * step + 1 for step in range(1, 60)]
    remember(winners, *((key, key, key) for key in clashing))
    assert known(winners, *clashing) == [(key, key) for key in clashing]


def test_zero_is_a_key_like_any_other() -> None:
    winners = Winners()
    remember(winners, (0, 10, 100))
    assert known(winners, 0) == [(10, 100)]


def test_grows_and_keeps_what_it_knows() -> None:
    winners = Winners(100_000)
    remember(winners, *((key, 1, key) for key in range(1, 2_001)))
    winners.forget(words(5))
    remember(winners, *((key, 1, key) for key in range(2_001, 20_001)))
    assert known(winners, 4, 5, 20_000) == [(1, 4), (None, None), (1, 20_000)]


def test_remembers_at_least_half_its_capacity_and_forgets_the_oldest() -> None:
    winners = Winners(8_000)
    for start in range(1, 20_001, 1_000):
        remember(winners, *((key, 1, key) for key in range(start, start + 1_000)))
    recent = list(range(16_001, 20_001))
    assert known(winners, *recent) == [(1, key) for key in recent]
    assert known(winners, 1, 2_000) == [(None, None), (None, None)]


def two_generations() -> Winners:
    """Key 7 is known at version 10 in the old generation, key 8 at 20."""
    winners = Winners(4_000)
    remember(winners, (7, 10, 100), (8, 20, 200))
    remember(winners, *((key, 1, key) for key in range(1_000, 3_100)))
    assert known(winners, 3_099) == [(1, 3_099)]
    return winners


def test_the_old_generation_still_counts() -> None:
    winners = two_generations()
    remember(winners, (7, 5, 50), (8, 25, 250))
    assert known(winners, 7, 8, 2_999, 9) == [(10, 100), (25, 250), (1, 2_999), (None, None)]


def test_remembers_alike_whether_or_not_somebody_asks_in_between() -> None:
    asked, unasked = Winners(8_000), Winners(8_000)
    for start in range(1, 20_001, 1_000):
        for winners in (asked, unasked):
            remember(winners, *((key, 1, key) for key in range(start, start + 1_000)))
        assert known(asked, start) == [(1, start)]
    recent = list(range(16_001, 20_001))
    assert known(asked, *recent) == known(unasked, *recent) == [(1, key) for key in recent]


def test_forgetting_nothing_changes_nothing() -> None:
    winners = Winners()
    remember(winners, (7, 10, 100))
    winners.forget(words())
    assert known(winners, 7) == [(10, 100)]


def test_forgets_in_both_generations() -> None:
    winners = two_generations()
    remember(winners, (7, 11, 110))
    winners.forget(words(7))
    assert known(winners, 7, 8) == [(None, None), (20, 200)]


statements = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=30)


@given(st.lists(statements, max_size=4))
def test_agrees_with_a_dictionary(batches: list[list[tuple[int, int, int]]]) -> None:
    winners, oracle = Winners(), dict[int, tuple[int, int]]()
    for batch in batches:
        remember(winners, *((key * 4096, version, content) for key, version, content in batch))
        for key, version, content in batch:
            oracle[key] = max(oracle.get(key, (0, 0)), (version, content))
    assert known(winners, *(key * 4096 for key in range(13))) == [oracle.get(key, (None, None)) for key in range(13)]


def told(known_before: list[Known], *rows: tuple[int, int, int, int]) -> list[bool]:
    schema = {"key": pl.UInt64, "version": pl.UInt64, "content": pl.UInt64, "arrival": pl.Int32}
    before = pl.DataFrame(known_before, schema={"version": pl.UInt64, "content": pl.UInt64}, orient="row")
    return corrects(pl.DataFrame(rows, schema=schema, orient="row"), before).to_list()


def test_tells_corrections_from_news_and_repeats() -> None:
    before = [(None, None), *[(10, 100)] * 5]
    rows = [(1, 5, 50, 0), (2, 11, 100, 1), (3, 11, 101, 2), (4, 9, 101, 3), (5, 10, 101, 4), (6, 10, 99, 5)]
    assert told(before, *rows) == [False, False, True, False, True, False]


def test_counts_what_came_earlier_in_the_batch_by_arrival() -> None:
    nothing: list[Known] = [(None, None)] * 6
    rows = [(1, 9, 7, 5), (1, 5, 7, 0), (1, 6, 7, 1), (1, 7, 8, 2), (1, 6, 9, 3), (2, 1, 1, 4)]
    assert told(nothing, *rows) == [True, False, False, True, False, False]


@given(statements, st.dictionaries(st.integers(0, 12), st.tuples(st.integers(1, 5), st.integers(0, 3))))
def test_comparison_agrees_with_a_loop(batch: list[tuple[int, int, int]], before: dict[int, tuple[int, int]]) -> None:
    expected, best = [], dict(before)
    for key, version, content in batch:
        seen = best.get(key)
        newer = seen is None or (version, content) > seen
        expected.append(newer and seen is not None and content != seen[1])
        if newer:
            best[key] = (version, content)
    rows = [(*statement, arrival) for arrival, statement in enumerate(batch)]
    assert told([before.get(key, (None, None)) for key, _, _ in batch], *rows) == expected
