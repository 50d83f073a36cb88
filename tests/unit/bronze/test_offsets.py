import polars as pl

from domain.bronze.offsets import Offsets, runs_of


def test_offsets_grow_by_runs() -> None:
    offsets = Offsets()
    for runs in ([(0, 3)], [(3, 5)], [(9, 10), (12, 13)]):
        offsets.take(offsets.extended(runs))
    assert ([at for at in range(14) if at in offsets], offsets.end) == ([0, 1, 2, 3, 4, 9, 12], 13)


def test_a_run_that_follows_the_last_one_is_told_as_it_will_stand() -> None:
    offsets = Offsets()
    offsets.take([(4, 6)])
    assert (offsets.extended([(6, 7), (9, 10)]), offsets.extended([(7, 8)])) == ([(4, 7), (9, 10)], [(7, 8)])


def test_ascending_offsets_fall_into_runs() -> None:
    assert runs_of(pl.Series([3, 4, 7, 9, 10])) == [(3, 5), (7, 8), (9, 11)]
