"""How far each market is sealed, as a process tells it."""

import attrs
import polars as pl

from application import topics
from application.ports.event_log import TopicPartition
from application.sealed_until import METRIC, SealedUntil
from application.stage import Share
from tests.aggregating import Aggregation
from tests.builders import at, tick
from tests.performing import Tally


@attrs.define
class ByMarket(Tally):
    """A meter that keeps what it is told of each market."""

    told: dict[str, float] = attrs.field(factory=dict)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        if name == METRIC:
            self.told[labels["market"]] = value

    def forget(self, name: str, **labels: str) -> None:
        if name == METRIC:
            self.told.pop(labels["market"], None)


def closed(sealed: SealedUntil, *windows: tuple[str, int, int]) -> None:
    """Windows close: market, partition, and end in seconds."""
    market, partition, end_s = zip(*windows, strict=True)
    sealed.closed(pl.Series(market), pl.Series(partition), pl.Series(end_s) * 1_000_000)


def test_a_market_is_sealed_as_far_as_its_least_advanced_partition() -> None:
    meter = ByMarket()
    sealed = SealedUntil(meter)

    closed(sealed, ("MISO", 0, 300), ("MISO", 0, 900), ("MISO", 1, 600), ("CAISO", 1, 100))
    assert meter.told == {"MISO": 600, "CAISO": 100}
    closed(sealed, ("MISO", 1, 1200))
    assert meter.told == {"MISO": 900, "CAISO": 100}
    closed(sealed, ("MISO", 0, 300))
    assert meter.told == {"MISO": 900, "CAISO": 100}


def test_a_partition_that_went_away_holds_back_no_market() -> None:
    meter = ByMarket()
    sealed = SealedUntil(meter)
    closed(sealed, ("MISO", 0, 300), ("MISO", 1, 900), ("CAISO", 0, 100), ("ERCOT", 1, 200))

    sealed.gone([0, 5])
    assert meter.told == {"MISO": 900, "ERCOT": 200}
    closed(sealed, ("MISO", 0, 1200), ("CAISO", 0, 1200))
    assert meter.told == {"MISO": 900, "CAISO": 1200, "ERCOT": 200}


def test_aggregation_tells_how_far_it_has_sealed_and_forgets_it_with_its_partitions() -> None:
    meter = ByMarket()
    aggregation = Aggregation(meter=meter)
    aggregation.take(tick("10:01", market="NYMEX"), tick("10:21", market="NYMEX"))
    assert meter.told == {"NYMEX": at("10:05").timestamp()}

    partitions = [TopicPartition(topics.ENRICHED, number) for number in range(6)]
    aggregation.loop.stage.assigned(dict.fromkeys(partitions, Share(0)))
    assert meter.told == {}
    aggregation.restart()
    aggregation.take(tick("10:36", market="NYMEX"))
    assert meter.told == {"NYMEX": at("10:25").timestamp()}
    aggregation.loop.stage.revoked(partitions)
    assert meter.told == {}
