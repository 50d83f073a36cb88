"""
Feeds: what a market's labels mean, as data.

A feed policy says for one (market, data type, run) which clock its labels are read on, whether they name the start or
the end of an interval, how long that interval is, how far ahead it may speak, and how patient its windows are.
Source: contracts.md §1, feeds; data/README.md, conventions of the feeds.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import product

import attrs

from domain.errors import DomainError

Scope = tuple[str, str, str]
"""Market, data type, run; `*` for any."""

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

    def __attrs_post_init__(self) -> None:
        if self.label is Label.END and self.interval_s is None:
            raise DomainError(f"{self.market} {self.data_type} {self.market_run}: an end label needs interval_s")


UNKNOWN_FEED = FeedPolicy(market=ANY, data_type=ANY, horizon_s=691_200, lateness_s=7_200, idle_s=7_200, assumed=True)
"""How a feed is read that no policy speaks of: labels name starts in UTC, and its windows are patient."""


@attrs.frozen
class FeedPolicies:
    """
    All feed policies. Of those that match the most specific counts: one that names the run before any that doesn't,
    then one that names the type, then one that names the market.
    """

    policies: tuple[FeedPolicy, ...]
    _by_scope: Mapping[Scope, FeedPolicy] = attrs.field(init=False, repr=False, eq=False)

    @_by_scope.default
    def _index(self) -> Mapping[Scope, FeedPolicy]:
        scopes = {(policy.market, policy.data_type, policy.market_run): policy for policy in self.policies}
        if len(scopes) < len(self.policies):
            raise DomainError(f"{len(self.policies) - len(scopes)} feed policies speak of a feed another one has")
        return scopes

    @classmethod
    def of(cls, policies: Iterable[FeedPolicy]) -> "FeedPolicies":
        """
        All feed policies, in any order.

        Raises:
            DomainError: Two of them speak of the same market, type and run.
        """
        return cls(tuple(policies))

    def find(self, market: str, data_type: str, market_run: str) -> FeedPolicy | None:
        """The policy that speaks most specifically of this feed; None where none does."""
        for run, kind, venue in product((market_run, ANY), (data_type, ANY), (market, ANY)):
            policy = self._by_scope.get((venue, kind, run))
            if policy is not None:
                return policy
        return None

    def of_source(self, source_id: str) -> FeedPolicy | None:
        """
        The policy of the feed a source is named after, `market.type` or `market.type.run`; None where it is named otherwise.

        Whoever states prices under a feed's name is bound to its horizon.
        """
        market, _, rest = source_id.partition(".")
        data_type, _, run = rest.partition(".")
        policy = self.find(market.upper(), data_type, run.upper())
        return policy if policy is not None and policy.market != ANY else None
