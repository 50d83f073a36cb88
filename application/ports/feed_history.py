"""When feeds spoke, as far as silver remembers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import polars as pl

from domain.gold.taxonomy import InstrumentKey


class FeedHistory(Protocol):
    """
    Times that feeds have spoken of, from stored ticks; ticks beyond their feed's horizon say nothing.

    Its contract suite is tests/contract/test_feed_history.py. Each call raises StoreUnavailable.
    """

    def sources(self, key: InstrumentKey) -> Sequence[str]:
        """Return the feeds (source_id) that ever spoke of an instrument, in order."""

    def spoken(
        self, tenant_id: str, sources: Sequence[str], start: datetime, end: datetime, step_min: int
    ) -> pl.DataFrame:
        """
        Return of which times any of these feeds spoke, about any instrument, by ticks with start <= ts < end.

        Args:
            tenant_id: Whose feeds.
            sources: Their source_ids.
            start: First instant.
            end: First instant after.
            step_min: Times are told in steps of so many minutes, aligned in UTC.

        Returns:
            Columns `first` and `last` (INSTANT), distinct, in any order: the steps that hold a tick's ts and the last
            moment of its interval, where it has one.
        """
