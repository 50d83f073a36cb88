"""Which policy speaks of a feed."""

import pytest

from domain.errors import DomainError
from domain.silver.feed import ANY, FeedPolicies, FeedPolicy, Label


def policy(market: str = ANY, data_type: str = ANY, market_run: str = ANY, **fields: object) -> FeedPolicy:
    patience = {"horizon_s": 300, "lateness_s": 600, "idle_s": 900}
    return FeedPolicy(**{"market": market, "data_type": data_type, "market_run": market_run, **patience, **fields})  # type: ignore[arg-type]


SCOPES = [
    ("MISO", "lmp", "RT"),
    (ANY, "lmp", "RT"),
    ("MISO", ANY, "RT"),
    (ANY, ANY, "RT"),
    ("MISO", "lmp", ANY),
    (ANY, "lmp", ANY),
    ("MISO", ANY, ANY),
    (ANY, ANY, ANY),
]


@pytest.mark.parametrize("rank", range(len(SCOPES)))
def test_the_most_specific_policy_counts_run_before_type_before_market(rank: int) -> None:
    known = [policy(*scope) for scope in reversed(SCOPES[rank:])]
    assert FeedPolicies.of(known).find("MISO", "lmp", "RT") == policy(*SCOPES[rank])


@pytest.mark.parametrize(
    ("source_id", "found"),
    [
        ("miso.lmp.rt", ("MISO", "lmp", "RT")),
        ("miso.lmp", ("MISO", "lmp", ANY)),
        ("miso.lmp.exante", ("MISO", "lmp", ANY)),
        ("miso.as", ("MISO", ANY, ANY)),
        ("feed-1", None),
        ("nymex.tick", None),
        ("", None),
    ],
)
def test_a_source_named_after_a_feed_is_bound_to_its_policy(source_id: str, found: tuple[str, str, str] | None) -> None:
    known = FeedPolicies.of(
        [policy("MISO", "lmp", "RT"), policy("MISO", "lmp"), policy("MISO"), policy(ANY, "tick"), policy()]
    )
    assert known.of_source(source_id) == (policy(*found) if found else None)


def test_no_policy_may_speak_of_a_feed() -> None:
    assert FeedPolicies.of([policy("PJM")]).find("MISO", "lmp", "RT") is None


def test_two_policies_may_not_speak_of_the_same_feed() -> None:
    with pytest.raises(DomainError, match="1 feed policies speak of a feed another one has"):
        FeedPolicies.of([policy("PJM"), policy("PJM", horizon_s=1)])


def test_an_end_label_needs_an_interval() -> None:
    with pytest.raises(DomainError, match="an end label needs interval_s"):
        policy("PJM", label=Label.END)
