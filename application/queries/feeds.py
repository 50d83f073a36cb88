"""Which feeds speak, and which have fallen silent?"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

import attrs

from application.ports.clock import Clock
from application.ports.meter import Meter
from domain.gold.watermark import Mark, feed_of, partition_of
from domain.time import EARLIEST_US, SECOND_US

MOST_FEEDS = 10_000
"""Feeds that are remembered; beyond it those heard last."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIGURES = WATERMARK, LATENESS, LIVE = "feed_watermark_seconds", "feed_allowed_lateness_seconds", "feed_live"
"""What is measured of each feed, as long as its partition is here."""


class Voice(StrEnum):
    """Whether a feed speaks."""

    LIVE = "live"
    """It was heard within its idle limit."""
    SILENT = "silent"
    """It was not, and its windows are closed."""


@attrs.frozen(kw_only=True)
class FeedState:
    """One feed on one partition of the tick topic, as the process that reads it knows it."""

    tenant_id: str
    source_id: str
    partition: int
    watermark: datetime | None
    """The highest ts it spoke of, less its allowed lateness."""
    heard_at: datetime
    """When it was last heard, by the wall clock."""
    lateness_s: float
    """Allowed lateness."""
    idle_s: float
    """After so long a silence its windows close."""
    state: Voice


class Listening(Protocol):
    """Who hears feeds: the aggregation."""

    @property
    def marks(self) -> Mapping[int, Mark]:
        """The watermarks of the feeds that speak, by feed code."""

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions it has read from since they were assigned."""


@attrs.define
class ReadFeeds:
    """
    This will tell the watermark of each feed and when it was last heard.

    Who hears feeds forgets those that fall silent; `notice`, done now and then, keeps what was last known of them for
    as long as their partitions stay here.
    """

    listening: Listening
    clock: Clock
    meter: Meter
    measured_every_s: float = 10.0
    _known: Mapping[int, Mark] = attrs.field(init=False, factory=dict)
    _measured_at_s: float = attrs.field(init=False, default=float("-inf"))
    _measured: frozenset[int] = attrs.field(init=False, default=frozenset())

    def __call__(self, tenant_id: str | None = None) -> list[FeedState]:
        """Return the feeds of a tenant, or of all, by tenant, source and partition."""
        self.notice()
        states = [self._state(code, mark) for code, mark in self._known.items()]
        mine = [state for state in states if tenant_id in {None, state.tenant_id}]
        return sorted(mine, key=lambda state: (state.tenant_id, state.source_id, state.partition))

    def notice(self) -> None:
        """Take note of what is heard now, and measure it now and then."""
        here, marks = self.listening.partitions, self.listening.marks
        known = {code: mark for code, mark in {**self._known, **marks}.items() if partition_of(code) in here}
        self._known = known if len(known) <= MOST_FEEDS else _heard_last(known)
        now_s = self.clock.monotonic_s()
        if now_s - self._measured_at_s >= self.measured_every_s:
            self._measured_at_s = now_s
            self._measure()

    def _measure(self) -> None:
        for code in self._measured - self._known.keys():
            for figure in FIGURES:
                self.meter.forget(figure, **_labels(code))
        self._measured = frozenset(self._known)
        for code, mark in self._known.items():
            state, where = self._state(code, mark), _labels(code)
            if state.watermark:
                self.meter.gauge(WATERMARK, (state.watermark - EPOCH).total_seconds(), **where)
            self.meter.gauge(LATENESS, state.lateness_s, **where)
            self.meter.gauge(LIVE, float(state.state is Voice.LIVE), **where)

    def _state(self, code: int, mark: Mark) -> FeedState:
        tenant_id, source_id, partition = feed_of(code)
        now_s = self.clock.monotonic_s()
        spoke = mark.watermark_us >= EARLIEST_US
        return FeedState(
            tenant_id=tenant_id,
            source_id=source_id,
            partition=partition,
            watermark=EPOCH + timedelta(microseconds=mark.watermark_us) if spoke else None,
            heard_at=self.clock.now() - timedelta(seconds=now_s - mark.heard_at_s),
            lateness_s=mark.lateness_us / SECOND_US,
            idle_s=mark.idle_s,
            state=Voice.SILENT if mark.silent(now_s) else Voice.LIVE,
        )


def _labels(code: int) -> dict[str, str]:
    tenant_id, source_id, partition = feed_of(code)
    return {"tenant_id": tenant_id, "source_id": source_id, "partition": str(partition)}


def _heard_last(marks: Mapping[int, Mark]) -> dict[int, Mark]:
    return dict(sorted(marks.items(), key=lambda known: known[1].heard_at_s)[-MOST_FEEDS:])
