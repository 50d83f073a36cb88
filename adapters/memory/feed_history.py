"""When feeds spoke, from ticks in process."""

from collections.abc import Sequence
from datetime import datetime

import attrs
import polars as pl

from adapters.memory.tables import MemoryTickTable
from domain.batch import INSTANT
from domain.gold.interval import MINUTE_US
from domain.gold.taxonomy import InstrumentKey
from domain.silver.quality import eligible


@attrs.frozen
class MemoryFeedHistory:
    """Times that feeds have spoken of."""

    ticks: MemoryTickTable

    def sources(self, key: InstrumentKey) -> Sequence[str]:
        """Return the feeds that ever spoke of an instrument, in order."""
        rows = self._eligible().filter(tenant_id=key.tenant_id, instrument_id=key.instrument_id)
        return rows["source_id"].unique().sort().to_list()

    def spoken(
        self, tenant_id: str, sources: Sequence[str], start: datetime, end: datetime, step_min: int
    ) -> pl.DataFrame:
        """Return of which times any of these feeds spoke: `first` and `last`."""
        rows = self._eligible().filter(
            pl.col("tenant_id") == tenant_id,
            pl.col("source_id").is_in(list(sources)),
            pl.col("ts") >= start,
            pl.col("ts") < end,
        )
        ts, step_us = rows["ts"].to_physical(), step_min * MINUTE_US
        last = pl.DataFrame({"ts": ts, "end": rows["interval_end"].to_physical() - 1}).max_horizontal()
        times = pl.DataFrame({"first": ts, "last": last})
        return times.select((pl.all() // step_us * step_us).cast(INSTANT)).unique()

    def _eligible(self) -> pl.DataFrame:
        rows = self.ticks.final()
        return rows.filter(eligible(rows["quality_flags"]))
