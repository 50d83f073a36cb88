"""Watermarks and seals: when a window closes, and what is late. (to come)"""

from datetime import datetime

import attrs
import polars as pl

from domain.batch import INSTANT, Batch, column
from domain.identity import SERIES


@attrs.frozen(kw_only=True)
class Seal:
    """Up to where an instrument's base windows are closed. Source: contracts.md §4, bar_seals; the maximum wins."""

    tenant_id: str = column(pl.String, "Whose data.")
    instrument_id: str = column(pl.String, "The price series.")
    partition: int = column(pl.Int32, "Partition of the tick topic that carries it.")
    sealed_until: datetime = column(INSTANT, "End of its last closed base window.")
    series: str = column(SERIES, "tenant_id|instrument_id.", stored=False)


class Seals(Batch[Seal]):
    """Seals of many instruments."""

    fact = Seal
