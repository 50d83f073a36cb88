"""Stored ticks that are behind the catalog: which they are, what they become, and in what portions."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import attrs
import polars as pl
import pytest

from adapters.memory.tables import MemoryEnrichedTable
from application.ports.errors import StoreUnavailable
from application.reenrichment import Reenrichment
from domain.gold.limits import PriceLimit, PriceLimits
from domain.gold.taxonomy import Classification, EnrichedTicks, History, InstrumentKey, Steps, enriched, steps_of
from domain.silver.quality import Flag
from domain.silver.tick import Tick
from tests.builders import TEN, at, decimal, tick, ticks

UNKNOWN = (Classification(),)
GAS = Classification(commodity="natural_gas", region="us-gulf", metadata_version=2)


@attrs.define
class Catalog:
    """What is known, by instrument; it remembers how many were asked about at once, and may be away."""

    known: dict[str, History] = attrs.field(factory=dict)
    asked: list[int] = attrs.field(factory=list)
    away: bool = False

    def version(self) -> int:
        return 1

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        if self.away:
            raise StoreUnavailable("the catalog can't be reached")
        self.asked.append(len(instruments))
        return {key: self.known.get(key.instrument_id, UNKNOWN) for key in instruments}


@attrs.define
class Limits:
    held: PriceLimits = attrs.field(factory=lambda: PriceLimits.of([]))

    def limits(self) -> PriceLimits:
        return self.held


@pytest.fixture
def catalog() -> Catalog:
    return Catalog()


@pytest.fixture
def table() -> MemoryEnrichedTable:
    return MemoryEnrichedTable()


def stored(table: MemoryEnrichedTable, catalog: Catalog, *facts: Tick) -> None:
    """Store ticks enriched by what the catalog knows now."""
    batch = ticks(*facts)
    named = batch.frame.select("series", "instrument_id").unique("series")
    steps = {
        code: steps_of(name, catalog.known.get(name, UNKNOWN), PriceLimits.of([]))
        for code, name in zip(named["series"].to_physical(), named["instrument_id"], strict=True)
    }
    table.upsert(enriched(batch, Steps().extended(steps)))


def swept(work: Reenrichment) -> list[int]:
    """Go through everything; how many rows each batch had."""
    sizes = []
    work.begin()
    while work.running:
        work.plan()
        rows = work.batch()
        work.table.upsert(rows)
        work.advance()
        sizes.append(len(rows))
    return sizes


def kept(table: MemoryEnrichedTable) -> list[tuple[str, str, int, int]]:
    return table.final().select("instrument_id", "commodity", "metadata_version", "quality_flags").rows()


def test_ticks_of_an_instrument_that_was_unknown_get_what_is_known_now(
    catalog: Catalog, table: MemoryEnrichedTable
) -> None:
    stored(table, catalog, tick(), tick("10:01", price="-1", quality_flags=int(Flag.PRICE_NEGATIVE)))
    catalog.known = {"NG_HH": (GAS,)}
    limits = Limits(PriceLimits.of([PriceLimit(commodity="natural_gas", floor=decimal("0"))]))
    assert swept(Reenrichment(catalog, limits, table)) == [2]
    assert kept(table) == [
        ("NG_HH", "natural_gas", 2, 0),
        ("NG_HH", "natural_gas", 2, int(Flag.PRICE_NEGATIVE | Flag.PRICE_OUT_OF_RANGE)),
    ]


def test_exactly_the_rows_behind_are_touched(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    catalog.known = dict.fromkeys("ABC", (GAS,))
    stored(table, catalog, *(tick(instrument_id=name) for name in "ABC"), tick(instrument_id="UNKNOWN"))
    catalog.known["B"] = (attrs.evolve(GAS, commodity="oil", metadata_version=3),)
    work = Reenrichment(catalog, Limits(), table)
    swept(work)
    assert work.found == 1
    assert [row[:3] for row in kept(table)] == [
        ("A", "natural_gas", 2),
        ("B", "oil", 3),
        ("C", "natural_gas", 2),
        ("UNKNOWN", "", 0),
    ]


def test_a_tick_gets_what_was_known_for_its_time(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    stored(table, catalog, tick("09:59"), tick("10:00"), tick("10:01"), tick("10:02"))
    until = attrs.evolve(GAS, since=at("10:02"), commodity="", metadata_version=0)
    catalog.known = {"NG_HH": (*UNKNOWN, attrs.evolve(GAS, since=TEN), until)}
    work = Reenrichment(catalog, Limits(), table)
    swept(work)
    assert (work.found, [commodity for _, commodity, *_ in kept(table)]) == (2, ["", "natural_gas", "natural_gas", ""])


def test_once_through_nothing_is_behind(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    stored(table, catalog, tick())
    catalog.known = {"NG_HH": (GAS,)}
    work = Reenrichment(catalog, Limits(), table)
    swept(work)
    assert (sum(swept(work)), work.found) == (0, 0)


def test_a_newer_tick_is_not_replaced(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    stored(table, catalog, tick(version=5))
    catalog.known = {"NG_HH": (GAS,)}
    work = Reenrichment(catalog, Limits(), table)
    work.begin()
    work.plan()
    rows = work.batch()
    stored(table, catalog, tick(price="9", version=6))
    table.upsert(rows)
    assert table.final()["price"].to_list() == [9]


def test_an_empty_table_is_up_to_date(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    assert swept(Reenrichment(catalog, Limits(), table)) == []
    assert catalog.asked == []


def test_series_are_looked_up_a_portion_at_a_time(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    stored(table, catalog, *(tick(instrument_id=name) for name in "ABCDE"), tick("10:01", instrument_id="E"))
    catalog.known = dict.fromkeys("ABCDE", (GAS,))
    work = Reenrichment(catalog, Limits(), table, series_at_once=2)
    assert (sum(swept(work)), catalog.asked) == (6, [2, 2, 1])


def test_batches_are_of_about_the_same_size_whatever_a_series_holds(
    catalog: Catalog, table: MemoryEnrichedTable
) -> None:
    minutes = [tick(TEN + timedelta(minutes=n), instrument_id="LONG") for n in range(100)]
    stored(table, catalog, *minutes, tick(instrument_id="A"), tick(instrument_id="B"), tick(instrument_id="Z"))
    catalog.known = dict.fromkeys(("A", "B", "LONG", "Z"), (GAS,))
    sizes = swept(Reenrichment(catalog, Limits(), table, rows_at_once=10))
    assert (sum(sizes), max(sizes), len(sizes)) == (103, 10, 12)


def test_a_table_of_which_a_part_is_stored_again_goes_on_after_a_restart(
    catalog: Catalog, table: MemoryEnrichedTable
) -> None:
    stored(table, catalog, *(tick(TEN + timedelta(minutes=n)) for n in range(10)))
    catalog.known = {"NG_HH": (GAS,)}
    first = Reenrichment(catalog, Limits(), table, rows_at_once=5)
    first.begin()
    first.plan()
    table.upsert(first.batch())
    again = Reenrichment(catalog, Limits(), table, rows_at_once=5)
    swept(again)
    assert again.found == 5


def test_what_could_not_be_looked_up_or_stored_comes_again(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    stored(table, catalog, tick())
    catalog.known, catalog.away = {"NG_HH": (GAS,)}, True
    work = Reenrichment(catalog, Limits(), table)
    work.begin()
    with pytest.raises(StoreUnavailable):
        work.plan()
    catalog.away = False
    work.plan()
    work.plan()
    assert [len(work.batch()), len(work.batch()), catalog.asked] == [1, 1, [1]]


def test_stopped_it_leaves_the_rest(catalog: Catalog, table: MemoryEnrichedTable) -> None:
    stored(table, catalog, tick())
    catalog.known = {"NG_HH": (GAS,)}
    work = Reenrichment(catalog, Limits(), table)
    work.begin()
    work.plan()
    work.stop()
    work.plan()
    assert (work.running, work.batch(), work.found) == (False, EnrichedTicks.empty(), 0)
    work.advance()
    assert isinstance(table.final(), pl.DataFrame)
