"""What kind of thing an instrument is: commodity, region, tier. Joined to ticks at enrichment, to bars when read."""

import attrs
import polars as pl

from domain.batch import Batch, column
from domain.silver.tick import Tick


@attrs.frozen(kw_only=True)
class EnrichedTick(Tick):
    """A tick and what is known of its instrument. Source: contracts.md §3 and §4, enriched_ticks."""

    commodity: str = column(pl.String, "power, natural_gas, oil …; empty where unknown.")
    region: str = column(pl.String, "Region of the market; empty where unknown.")
    product_tier: str = column(pl.String, "hub, zone, node, contract …; empty where unknown.")
    taxonomy: str = column(pl.String, "Further classification with method, confidence and version, as a JSON object of strings.")
    tags: str = column(pl.String, "Tags as a JSON array of strings; a list at the border.")
    metadata_version: int = column(pl.UInt64, "Version of the metadata the row got; 0 where none is known.")


class EnrichedTicks(Batch[EnrichedTick]):
    """Many enriched ticks. Their version column is row_version = version · 2^64 + metadata_version."""

    fact = EnrichedTick
