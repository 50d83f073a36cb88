"""Adaptive lateness: counted delays, and what they allow within bounds."""

import polars as pl
import pytest

from domain.gold.lateness import FADES_AT, Adaptation, Delays

SECOND = 1_000_000
POLICY = 600 * SECOND
ADAPTATION = Adaptation(quantile=0.9, least=0.5, most=4.0, after=10)


def delays(*seconds: float) -> Delays:
    return Delays().joined_by(pl.Series([round(one * SECOND) for one in seconds], dtype=pl.Int64))


@pytest.mark.parametrize(
    ("came", "share", "bound_s"),
    [([-5, 0, 0], 1.0, 0), ([1], 1.0, 1), ([1.5], 1.0, 2), ([0] * 9 + [50], 0.9, 0), ([0] * 9 + [50], 0.95, 60)],
)
def test_a_quantile_is_the_first_bound_that_enough_ticks_did_not_exceed(
    came: list[float], share: float, bound_s: float
) -> None:
    assert delays(*came).quantile_us(share) == bound_s * SECOND


def test_what_is_later_than_all_bounds_is_infinitely_late() -> None:
    assert delays(10**7).quantile_us(1.0) == float("inf")


def test_counts_add_up_and_fade() -> None:
    many = delays(*[1] * (FADES_AT + 1))
    faded = many.joined_by(pl.Series([0], dtype=pl.Int64))
    assert sum(faded.counts) == FADES_AT // 2 + 1


def test_little_observed_changes_nothing() -> None:
    assert ADAPTATION.lateness_us(POLICY, delays(*[5000] * 9)) == POLICY


@pytest.mark.parametrize(("behind_s", "allowed_s"), [(0, 300), (301, 450), (900, 900), (100_000, 2400), (10**7, 2400)])
def test_lateness_follows_what_is_observed_within_bounds(behind_s: float, allowed_s: float) -> None:
    assert ADAPTATION.lateness_us(POLICY, delays(*[behind_s] * 10)) == allowed_s * SECOND
