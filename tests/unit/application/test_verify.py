"""Verification: tables that agree pass, and each kind of disagreement is found and told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import polars as pl
import pytest

from adapters.memory.census import MemoryCensus
from adapters.memory.price_cache import MemoryPriceCache
from adapters.memory.tables import MemoryDeadLetterTable, MemoryEnrichedTable, MemoryLatestTable, MemoryLedgerTable
from application.queries.verify import Checked, Difference, Scope, VerifyTables
from domain.batch import PRICE
from domain.bronze.dead_letter import DeadLetters
from domain.bronze.ledger import Ledger
from domain.gold.bar import BarBatch
from domain.gold.interval import BarIntervals
from domain.served.latest_price import LatestPrices, latest_of
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch
from tests.aggregating import Aggregation
from tests.builders import TEN, tick
from tests.steps.enriching import enriched_batch
from tests.unit.bronze.test_ledger import ledger_row
from tests.unit.wire_events.facts import dead_letter

RAW = "ingestion.market.ticks.raw.v1"
DAY = timedelta(days=1)
FACTS = (
    tick("10:00", "3.30", volume="2"),
    tick("10:01", "3.40"),
    tick("10:06", "3.20", source_seq=4),
    tick("11:00", "3.10"),
    tick("2026-10-06T03:00:00", "3.05"),
    tick("10:00", "9.10", instrument_id="CAISO.X"),
    tick("2026-10-05T03:00:00", "9.20", instrument_id="CAISO.X"),
    tick("10:02", "7.00", tenant_id="acme"),
    tick("10:03", "1.00", instrument_id="AHEAD", quality_flags=int(Flag.TS_FUTURE)),
)


@attrs.define
class World:
    """Tables as a refinery leaves them."""

    aggregation: Aggregation = attrs.field(factory=Aggregation)
    enriched: MemoryEnrichedTable = attrs.field(factory=MemoryEnrichedTable)
    latest: MemoryLatestTable = attrs.field(factory=MemoryLatestTable)
    cache: MemoryPriceCache = attrs.field(factory=MemoryPriceCache)
    ledger: MemoryLedgerTable = attrs.field(factory=MemoryLedgerTable)
    dead_letters: MemoryDeadLetterTable = attrs.field(factory=MemoryDeadLetterTable)
    rows_at_once: int = 200_000

    @classmethod
    def of(cls, *facts: Tick, **fields: Any) -> "World":
        world = cls(**fields)
        for fact in facts:
            world.aggregation.take(fact)
        world.aggregation.ended()
        world.enriched.upsert(enriched_batch(facts))
        served = latest_of(TickBatch.of(facts), TEN)
        world.latest.upsert(served)
        world.cache.upsert(served)
        counted = {"messages": 12, "accepted": 9, "filtered": 2, "dead_letter": 1, "rows": 11, "ticks": 10}
        world.ledger.upsert(Ledger.of([ledger_row(topic=RAW, rejected_rows=1, counted_to=12, **counted)]))
        letter = {"stage": "normalization", "topic": RAW, "partition": 0}
        world.dead_letters.upsert(DeadLetters.of([dead_letter(**letter, offset=11, row_index=0)]))
        return world

    def verify(self) -> VerifyTables:
        bars = self.aggregation.bars
        tables = {
            "silver_ticks": self.aggregation.silver,
            "enriched_ticks": self.enriched,
            "served_latest": self.latest,
            "dead_letters": self.dead_letters,
            **{f"bars_{name}": table for name, table in bars.items()},
        }
        return VerifyTables(
            intervals=BarIntervals.parse(bars),
            ticks=self.aggregation.silver,
            bars=bars,
            cache=self.cache,
            ledger=self.ledger,
            census=MemoryCensus(tables),
            rows_at_once=self.rows_at_once,
        )

    def differences(self, scope: Scope | None = None) -> list[Difference]:
        return [one for part in self.verify()(scope or Scope()) for one in part.differences]

    def compared(self, scope: Scope | None = None) -> dict[str, int]:
        found: dict[str, int] = {}
        for part in self.verify()(scope or Scope()):
            found[part.check] = found.get(part.check, 0) + part.compared
        return found

    def rewrite(self, interval: str, **columns: pl.Expr) -> None:
        """Replace the first bar of ten o'clock of NG_HH by an odd one of a higher revision."""
        table = self.aggregation.bars[interval]
        windows = pl.DataFrame({"series": ["default|NG_HH"], "start": [TEN - DAY], "end": [TEN + DAY]}).cast(
            {"series": BarBatch.schema["series"], "start": pl.Datetime("us", "UTC"), "end": pl.Datetime("us", "UTC")}
        )
        held = table.within(windows).frame.sort("interval_start").head(1)
        one = pl.Series([1], dtype=pl.UInt128)
        table.upsert(BarBatch(held.with_columns(revision=held["revision"] + one).with_columns(**columns)))


@pytest.fixture
def world() -> World:
    return World.of(*FACTS)


def told(differences: Sequence[Difference]) -> list[tuple[str, str]]:
    return [(one.check, one.row) for one in differences]


def test_tables_that_agree_pass(world: World) -> None:
    assert world.differences() == []
    assert world.compared() == {
        "ledger": 1,
        "ledger against silver": 1,
        "ledger against dead letters": 1,
        "enriched_ticks": 9,
        "bars_5m": 7,
        "bars_1h": 6,
        "bars_1d": 5,
        "served_latest": 3,
        "latest_prices_cache": 3,
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("rows_at_once", [1, 3])
def test_any_portion_compares_the_same(world: World, rows_at_once: int) -> None:
    portioned = attrs.evolve(world, rows_at_once=rows_at_once)
    assert portioned.differences() == []
    assert portioned.compared() == world.compared()


def test_empty_tables_agree() -> None:
    world = World()
    assert world.differences() == []
    assert sum(world.compared().values()) == 0
    assert world.verify().totals() == {
        **dict.fromkeys(("messages", "accepted", "filtered", "dead_letter", "rows", "ticks"), 0),
        **dict.fromkeys(("rejected_rows", "corrections", "silver_distinct", "duplicates"), 0),
    }


def test_totals_tell_duplicates(world: World) -> None:
    totals = world.verify().totals()
    assert (totals["ticks"], totals["silver_distinct"], totals["duplicates"]) == (10, 9, 1)


def test_a_bar_of_other_content_is_found(world: World) -> None:
    world.rewrite("5m", high_price=(pl.col("high_price") + 1).cast(PRICE))
    first, *coarser = world.differences()
    assert first == Difference(
        "bars_5m", "default|NG_HH 2026-10-05T10:00", "high_price is 4.40000000, expected 3.40000000"
    )
    assert told(coarser) == [("bars_1h", "default|NG_HH 2026-10-05T10:00")]


def test_a_coarser_bar_that_is_not_its_parts_is_found(world: World) -> None:
    world.rewrite("1d", trade_count=pl.col("trade_count") + 1)
    (only,) = world.differences()
    assert only == Difference("bars_1d", "default|NG_HH 2026-10-05T00:00", "trade_count is 5, expected 4")


def test_a_sum_of_versions_may_lag_behind_but_not_be_ahead(world: World) -> None:
    versions = pl.lit(1 << 20, dtype=pl.UInt128)
    world.rewrite("1d", revision=pl.col("revision") + versions)
    assert world.differences() == [
        Difference(
            "bars_1d",
            "default|NG_HH 2026-10-05T00:00",
            "its sum of versions is ahead of what it is made of",
        )
    ]


def test_a_tick_without_its_bar_is_found(world: World) -> None:
    alone = tick("2026-10-08T10:00:00", instrument_id="NEW")
    world.aggregation.silver.upsert(TickBatch.of([alone]))
    world.enriched.upsert(enriched_batch([alone]))
    assert world.differences() == [
        Difference("bars_5m", "default|NEW 2026-10-08T10:00", "missing"),
        Difference(
            "served_latest", "default|NEW", "there is none, and silver has a price of 2026-10-08 10:00:00+00:00"
        ),
    ]


def test_a_tick_that_silver_or_enrichment_lost_is_found(world: World) -> None:
    lost, unenriched = tick("09:00", "3.30"), tick("09:00", "3.30", instrument_id="OTHER")
    world.enriched.upsert(enriched_batch([lost]))
    world.aggregation.take(unenriched)
    world.aggregation.ended()
    found, days = world.differences(), "2026-10-04T00:00 and 2026-10-07T00:00"
    assert found[:2] == [
        Difference("enriched_ticks", "default|NG_HH", f"6 ticks between {days}, silver has 5"),
        Difference("enriched_ticks", "default|OTHER", f"0 ticks between {days}, silver has 1"),
    ]


def test_a_bar_without_ticks_is_found(world: World) -> None:
    facts = world.aggregation.bars["1d"].within(_all_of("default|NG_HH")).frame.head(1)
    later = facts.with_columns(pl.col("interval_start", "interval_end", "open_ts", "close_ts") + 10 * DAY)
    world.aggregation.bars["1d"].upsert(BarBatch(later))
    assert world.differences() == [
        Difference("bars_1d", "default|NG_HH 2026-10-15T00:00", "made of nothing that is stored")
    ]


def test_a_local_day_without_its_bar_is_found_though_it_began_the_day_before(world: World) -> None:
    table = world.aggregation.bars["1h"]
    source = table.within(_all_of("default|CAISO.X")).frame.head(1)
    begin = datetime(2026, 10, 20, 3, tzinfo=UTC)
    moved = source.with_columns(
        interval_start=pl.lit(begin, dtype=pl.Datetime("us", "UTC")),
        interval_end=pl.lit(begin + timedelta(hours=1), dtype=pl.Datetime("us", "UTC")),
    )
    table.upsert(BarBatch(moved))
    assert ("bars_1d", "default|CAISO.X 2026-10-19T07:00") in told(world.differences())


def test_a_latest_price_that_is_not_the_latest_is_found(world: World) -> None:
    stale = World.of(*FACTS[:4])
    stale.aggregation, stale.enriched = world.aggregation, world.enriched
    found = stale.differences()
    assert told(found)[0] == ("served_latest", "default|NG_HH")
    assert "price is 3.10000000, expected 3.05000000" in found[0].told


def test_a_stale_cache_is_found_and_an_empty_one_is_not(world: World) -> None:
    world.cache = MemoryPriceCache()
    assert world.differences() == []
    cache = [part for part in world.verify()(Scope()) if part.check == "latest_prices_cache"]
    assert cache == [Checked("latest_prices_cache", 0, (), absent=3)]
    world.cache.upsert(latest_of(TickBatch.of([tick("09:00", "3")]), TEN))
    assert told(world.differences()) == [("latest_prices_cache", "default|NG_HH")]


def test_a_ledger_whose_sides_differ_is_found(world: World) -> None:
    world.ledger.upsert(Ledger.of([ledger_row(topic=RAW, messages=13, ticks=10, counted_to=13)]))
    found = [one for one in world.differences() if one.check == "ledger"]
    assert found == [
        Difference(
            "ledger",
            f"{RAW}/0 2026-10-05T10",
            "messages 13 = 1 accepted + 1 filtered + 1 dead letters? rows 4 = 10 ticks + 2 rejected?",
        )
    ]


def test_ticks_of_messages_nobody_counted_are_found(world: World) -> None:
    world.aggregation.take(tick("10:07", raw_offset=12), tick("10:08", raw_partition=5))
    world.aggregation.ended()
    found = [one for one in world.differences() if one.check == "ledger against silver"]
    assert [one.row for one in found] == [f"{RAW}/0", f"{RAW}/5"]
    assert found[0].told == "ticks 10 found, 10 counted, last_offset 12, rejected_rows 1, dead_letter 1, counted_to 12"


def test_dead_letters_that_are_not_there_are_found(world: World) -> None:
    world.dead_letters = MemoryDeadLetterTable()
    assert told(world.differences()) == [("ledger against dead letters", f"{RAW}/0")]


def test_a_scope_leaves_the_rest_out(world: World) -> None:
    world.rewrite("5m", high_price=(pl.col("high_price") + 1).cast(PRICE))
    elsewhere = [
        Scope(start=TEN + timedelta(minutes=5)),
        Scope(end=TEN),
        Scope(instrument_ids=["CAISO.X"]),
        Scope(tenant_id="acme"),
    ]
    assert [told(world.differences(scope)) for scope in elsewhere] == [[], [], [], []]
    assert told(world.differences(Scope(start=TEN + timedelta(minutes=1), end=TEN + timedelta(minutes=2)))) == [
        ("bars_5m", "default|NG_HH 2026-10-05T10:00")
    ]


def test_a_scope_is_cut_out_of_its_days(world: World) -> None:
    portioned = attrs.evolve(world, rows_at_once=1)
    scope = Scope(start=TEN, end=TEN + timedelta(hours=2))
    assert portioned.compared(scope)["bars_5m"] == world.compared(scope)["bars_5m"] == 5


def test_a_scope_that_ends_earlier_says_nothing_of_later_latest_prices(world: World) -> None:
    assert world.compared(Scope(end=TEN + timedelta(minutes=2)))["served_latest"] == 2
    early = World.of(*FACTS[:2])
    early.aggregation = world.aggregation
    assert ("served_latest", "default|NG_HH") in told(early.differences(Scope(end=TEN + timedelta(hours=2))))


def _all_of(series: str) -> pl.DataFrame:
    span = {"start": datetime(2026, 9, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC)}
    return pl.DataFrame({"series": [series], **{name: [moment] for name, moment in span.items()}}).cast(
        {"series": LatestPrices.schema["series"], **dict.fromkeys(span, pl.Datetime("us", "UTC"))}
    )
