"""
Feeds: what a market's labels mean, as data.

A feed policy says for one (market, data type, run) which clock its labels are read on, whether they name the start or
the end of an interval, how long that interval is, how far ahead it may speak, and how patient its windows are.
Source: contracts.md §1, feeds; data/README.md, conventions of the feeds.
"""

from collections.abc import Iterable
from enum import StrEnum

import attrs

UTC = "UTC"
FIXED_EST = "Etc/GMT+5"
ANY = "*"


class Label(StrEnum):
    """What the time in a message names."""

    START = "start"
    END = "end"
    INSTANT = "instant"
    DAY = "day"
    """A date: 00:00 of the feed's clock."""
    MONTH = "month"
    """A month: its first instant on the feed's clock; the interval ends with the month."""


@attrs.frozen(kw_only=True)
class FeedPolicy:
    """How the labels of one feed are read. `market`, `data_type` and `market_run` may be `*`: any."""

    market: str
    data_type: str
    market_run: str = ANY
    clock: str = UTC
    """IANA zone naive labels are read on; MISO's all-year EST is `Etc/GMT+5`."""
    label: Label = Label.START
    interval_s: int | None = None
    """Length of its intervals; None where it has none or the source states the end itself."""
    naive_by_policy: bool = False
    """Its labels are naive; a glued-on `Z` or `+00:00` is ignored."""
    horizon_s: int
    """How far after ingested_at it may speak; beyond it a tick is flagged TS_FUTURE."""
    lateness_s: int
    """How long its windows wait for stragglers, in event time."""
    idle_s: int
    """After this much silence, in wall time, its windows close."""
    assumed: bool = False
    """The run is unknown: ticks are flagged FEED_POLICY_ASSUMED."""


@attrs.frozen
class FeedPolicies:
    """All feed policies. The most specific match counts: exact run before any, exact type before any, exact market before any."""

    policies: tuple[FeedPolicy, ...] = attrs.field(converter=tuple)

    @classmethod
    def of(cls, policies: Iterable[FeedPolicy]) -> "FeedPolicies":
        """All feed policies, in any order."""
        return cls(tuple(policies))

    def find(self, market: str, data_type: str, market_run: str) -> FeedPolicy | None:
        """The policy that speaks most specifically of this feed; None where none does."""
        asked = (market, data_type, market_run)
        matching = [
            policy
            for policy in self.policies
            if all(own in (ANY, wanted) for own, wanted in zip(_scope(policy), asked, strict=True))
        ]
        return max(matching, key=lambda policy: [own != ANY for own in _scope(policy)], default=None)


def _scope(policy: FeedPolicy) -> tuple[str, str, str]:
    return policy.market, policy.data_type, policy.market_run
