"""Feed policies out of a file."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.memory.policies import MemoryPolicies
from application.ports.reference_store import BadReference

FEEDS = MemoryPolicies.from_files().feeds()

GOOD = """
patience: {fast: {lateness_s: 600, idle_s: 900}}
clocks: {utc: UTC}
feeds:
  - {market: X, types: [lmp], runs: [RT], clock: utc, label: start, horizon_s: 300, patience: fast}
"""


@pytest.mark.parametrize(
    ("feed", "horizon_s", "lateness_s", "idle_s"),
    [
        (("MISO", "lmp", "DA"), 691_200, 7_200, 7_200),
        (("MISO", "lmp", ""), 691_200, 7_200, 7_200),
        (("MISO", "lmp", "RT"), 300, 600, 900),
        (("MISO", "lmp", "RT_HOURLY"), 300, 7_200, 7_200),
        (("PJM", "rtm_lmp", ""), 300, 600, 900),
        (("CAISO", "lmp", "DAM"), 691_200, 7_200, 7_200),
        (("CAISO", "lmp", "RTPD"), 10_800, 600, 900),
        (("AESO", "pool_price", ""), 3_600, 7_200, 7_200),
        (("ERCOT", "crr", ""), 34_560_000, 86_400, 86_400),
        (("KRAKEN", "tick", ""), 300, 600, 900),
        (("", "anything", ""), 300, 600, 900),
    ],
)
def test_each_feed_has_its_horizon_and_patience(
    feed: tuple[str, str, str], horizon_s: int, lateness_s: int, idle_s: int
) -> None:
    policy = FEEDS.find(*feed)
    assert policy is not None
    assert (policy.horizon_s, policy.lateness_s, policy.idle_s) == (horizon_s, lateness_s, idle_s)


def test_every_clock_exists() -> None:
    assert all(ZoneInfo(policy.clock) for policy in FEEDS.policies)


@pytest.mark.parametrize(
    ("instead_of", "said", "complaint"),
    [
        ("clock: utc", "clock: mars", "'mars' is missing or unknown"),
        ("label: start", "label: middle", "'middle' is not a valid Label"),
        ("label: start", "label: end", "needs interval_s"),
        ("horizon_s: 300, ", "", "'horizon_s' is missing or unknown"),
        ("types: [lmp]", "types: lmp", "types must be a list"),
        ("runs: [RT]", "runs: [RT, RT]", "speak of a feed another one has"),
        ("horizon_s: 300", "horizon: 300", "nobody reads horizon"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(tmp_path: Path, instead_of: str, said: str, complaint: str) -> None:
    (tmp_path / "feeds.yaml").write_text(GOOD.replace(instead_of, said))
    with pytest.raises(BadReference, match=complaint):
        MemoryPolicies.from_files(tmp_path)


def test_another_folder_may_stand_in_for_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text(GOOD)
    assert [policy.market for policy in MemoryPolicies.from_files(tmp_path).feeds().policies] == ["X"]
