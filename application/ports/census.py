"""What is in the tables as wholes: which parts there are, so that a check can read them one after the other."""

from datetime import datetime
from typing import Protocol

import polars as pl

from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrices


class Census(Protocol):
    """
    Counts and lists. Tables are named as stages name them; those asked about by time are tables of ticks and of bars.

    Its contract suite is tests/contract/test_census.py. Each call raises StoreUnavailable.
    """

    def days(self, table: str, start: datetime | None, end: datetime | None) -> pl.DataFrame:
        """
        Return the UTC days that hold rows of [start, end), ascending.

        Returns:
            Columns `day`, its first instant, and `rows`. Rows that were replaced may still be counted.
        """

    def series(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """
        Return what there is of each instrument in [start, end).

        Returns:
            Columns `tenant_id`, `instrument_id`, `rows`, in the order of the first two. Rows that were replaced may
            still be counted.
        """

    def ticks(self, table: str, start: datetime, end: datetime) -> pl.DataFrame:
        """
        Return how many ticks a table of ticks has of each instrument in [start, end), each key once.

        Returns:
            Columns `tenant_id`, `instrument_id`, `ticks`, in the order of the first two.
        """

    def origins(self) -> pl.DataFrame:
        """
        Return where silver's ticks came from: `topic`, `partition`, `ticks` and `last_offset`, the highest among them.

        Each tick counts once, at its highest version.
        """

    def refused(self) -> pl.DataFrame:
        """
        Return what normalization refused of each raw partition, ticks that silver could not store aside.

        Returns:
            Columns `topic`, `partition`, `rows` (dead letters of rows), `whole` (messages refused as wholes) and
            `messages` (messages with any dead letter).
        """

    def newest(
        self, after: InstrumentKey | None, until: InstrumentKey | None, since: datetime, known_by: datetime, limit: int
    ) -> pl.DataFrame:
        """
        Return the highest (ts, source_seq, version) of silver's ticks of each instrument, of those that may be prices.

        Args:
            after: The instruments that come after this one by tenant and instrument; None: from the first.
            until: Up to and with this one; None: to the last.
            since: Only ticks with ts from here on.
            known_by: Only ticks that were normalized by then, as they stand now.
            limit: The first so many instruments.

        Returns:
            Columns `tenant_id`, `instrument_id`, `ts`, `source_seq` and `version`, in the order of the first two. Rows
            that were replaced may still count.
        """

    def latest(self, after: InstrumentKey | None, limit: int) -> LatestPrices:
        """Return the first `limit` rows of served_latest by tenant and instrument that come after this one."""
