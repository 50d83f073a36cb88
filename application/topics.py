"""Names of topics, said once. Source: contracts.md §1 and §3."""

MARKETS = ("miso", "caiso", "ercot", "pjm", "nyiso", "isone", "aeso")
RAW_TICKS = "ingestion.market.ticks.raw.v1"
NORMALIZED = "normalized.market.ticks.v1"
ENRICHED = "enriched.market.ticks.v1"
RECOMPUTE = "processing.recompute.request.v1"
LATEST = "served.market.latest_prices.v1"


def raw(market: str) -> str:
    """Topic of a market's raw events."""
    return f"ingestion.{market}.raw.v1"


def bars(interval: str) -> str:
    """Topic of the bars of one interval."""
    return f"aggregated.market.bars.{interval}.v1"


def dead_letters(stage: str) -> str:
    """Topic of the records a stage refused."""
    return f"processing.deadletter.{stage}.v1"


RAW = (*(raw(market) for market in MARKETS), RAW_TICKS)
"""All raw topics."""

RAW_PARTITIONS = {raw("miso"): 4, raw("caiso"): 6, raw("nyiso"): 3, RAW_TICKS: 6}
"""Partitions of raw topics where they differ from `OTHER_RAW_PARTITIONS`."""

OTHER_RAW_PARTITIONS = 4
KEYED_PARTITIONS = 6
"""Partitions of everything keyed by series, so that one owner has an instrument's ticks and its requests."""


def partitions(topic: str) -> int:
    """How many partitions a topic has."""
    if topic in RAW:
        return RAW_PARTITIONS.get(topic, OTHER_RAW_PARTITIONS)
    keyed = topic in (NORMALIZED, ENRICHED, RECOMPUTE) or topic.startswith("aggregated.market.bars.")
    return KEYED_PARTITIONS if keyed else 1


NEIGHBOURS = (
    "pricing.curve.updates.v1",
    "projection.invalidate.instrument.v1",
    "processing.backfill.request.v1",
    "processing.job.status.v1",
    "data.quality.anomalies.v1",
    "processing.deprecate.notice.v1",
)
"""Topics beside the four stages: curves, requests of operators, and what they are told."""
