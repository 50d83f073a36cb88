"""A range of bars computed inside ClickHouse is what the domain makes of the same ticks, to the last digit and revision."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters.clickhouse import bar_sql, range_recompute
from adapters.clickhouse.bar_revision_table import ClickHouseBarRevisionTable
from adapters.clickhouse.bar_table import ClickHouseBarTable
from adapters.clickhouse.client import ClickHouse
from adapters.clickhouse.connecting import connect
from adapters.clickhouse.range_recompute import ClickHouseRangeRecompute
from adapters.clickhouse.seal_table import ClickHouseSealTable
from adapters.clickhouse.tick_table import ClickHouseTickTable
from adapters.memory.tables import MemoryBarRevisionTable, MemoryBarTable, MemoryTickTable
from application.ports.errors import StoreUnavailable
from application.ports.range_recompute import BarRange, Slice
from domain.gold.bar import BarBatch, Cause, fold, parts_of_bars
from domain.gold.interval import BarIntervals, Interval, Periods
from domain.gold.settling import settle
from domain.gold.watermark import Seal, SealBook, Seals
from domain.gold.window import digests, in_order, parts_of_ticks
from domain.silver.quality import Flag
from domain.silver.tick import Tick, TickBatch
from tests.builders import TEN, at, tick
from tests.support.clickhouse import INTERVALS, TRANSPORTS, database, emptied, url_of

DAY = timedelta(days=1)
EARLY = datetime(1970, 1, 1, tzinfo=UTC)
TENANT = "default"


@attrs.frozen
class ByDomain:
    """The recompute as the aggregation stage does it, over the tables of the memory profile."""

    intervals: BarIntervals
    ticks: MemoryTickTable
    tables: Mapping[str, MemoryBarTable]
    revisions: MemoryBarRevisionTable = attrs.field(factory=MemoryBarRevisionTable)
    periods: Periods = attrs.field(factory=Periods)

    @classmethod
    def of(cls, intervals: BarIntervals, facts: Sequence[Tick]) -> "ByDomain":
        """With these ticks, and no bars yet."""
        silver = MemoryTickTable()
        silver.upsert(TickBatch.of(facts))
        return cls(intervals, silver, {interval.name: MemoryBarTable(interval.name) for interval in intervals.all})

    def recompute(self, seals: Seals, cause: str) -> None:
        """Compute and store the bars of every tick."""
        book = SealBook().raised(seals.frame["series"], seals.frame["sealed_until"].to_physical())
        rows = self.ticks._batch(self.ticks._tree.all()).frame
        rows = rows.filter((pl.col("quality_flags") & int(Flag.TS_FUTURE)) == 0)
        parts = parts_of_ticks(in_order(rows.with_columns(*digests(rows))))
        self._store(self.intervals.base, parts, parts["ts"], book, cause)
        for interval, finer in self.intervals.coarser:
            table = self.tables[finer.name]
            parts = parts_of_bars(BarBatch(table._batch(table._tree.all()).frame))
            self._store(interval, parts, parts["interval_start"], book, cause)

    def _store(self, interval: Interval, parts: pl.DataFrame, instant: pl.Series, book: SealBook, cause: str) -> None:
        if not parts.height:
            return
        start, end = self.periods.bounds(interval, parts["series"], instant)
        bars = fold(parts, start, end)
        closed = bars["interval_end"].to_physical() <= book.until(bars["series"])
        bars = bars.with_columns(closed.alias("closed"), pl.lit(cause).alias("cause"))
        table = self.tables[interval.name]
        bars_now = settle(bars, interval.name, table.stored(bars.select("series", "interval_start")))
        self.revisions.upsert(bars_now.revisions())
        table.upsert(bars_now.rows)


@attrs.frozen
class InClickHouse:
    """The same in the database."""

    client: ClickHouse
    intervals: BarIntervals

    @classmethod
    def of(cls, client: ClickHouse, intervals: BarIntervals, facts: Sequence[Tick]) -> "InClickHouse":
        """With these ticks, and no bars or seals yet."""
        emptied(
            client,
            "silver_ticks",
            "bar_seals",
            "bar_revisions",
            *(f"bars_{interval.name}" for interval in intervals.all),
        )
        ClickHouseTickTable(client).upsert(TickBatch.of(facts))
        return cls(client, intervals)

    def recompute(self, seals: Seals, cause: Cause, **asked: Any) -> None:
        """Compute and store the bars of a range, of all time unless told otherwise."""
        ClickHouseSealTable(self.client).upsert(seals)
        whole: dict[str, Any] = {"tenant_id": TENANT, "start": TEN - 3 * DAY, "end": TEN + 3 * DAY}
        ClickHouseRangeRecompute(self.client, self.intervals).recompute(BarRange(cause=cause, **(whole | asked)))

    def bars(self, interval: str) -> list[dict[str, Any]]:
        """The bars of an interval."""
        return comparable(ClickHouseBarTable(self.client, interval).final())

    def revisions(self) -> list[dict[str, Any]]:
        """What bars of any interval were before."""
        return comparable(ClickHouseBarRevisionTable(self.client).final())


def comparable(bars: pl.DataFrame) -> list[dict[str, Any]]:
    """Bars as values; the raw partitions they came from have no order."""
    several = ["interval"] if "interval" in bars.columns else []
    rows = bars.sort("tenant_id", "instrument_id", *several, "interval_start", "revision").to_dicts()
    return [row | {"lineage_partitions": sorted(map(str, row["lineage_partitions"]))} for row in rows]


def seals_of(until: Mapping[str, datetime]) -> Seals:
    """Up to where instruments are closed."""
    return Seals.of(
        Seal(tenant_id=TENANT, instrument_id=name, partition=0, sealed_until=moment, series=f"{TENANT}|{name}")
        for name, moment in until.items()
    )


NAMES = ["NG_HH", "MISO.LMP.RT.A", "CAISO.LMP.RTM.B", "PJM.X", "AESO.POOL_PRICE", "ERCOT"]
PRICES = st.decimals(Decimal("-9999999999.99999999"), Decimal("9999999999.99999999"), places=8)
USUAL = st.decimals(-100, 100, places=2)
MOMENTS = st.one_of(
    st.integers(-2 * 1440, 2 * 1440).map(lambda minutes: TEN + timedelta(minutes=minutes)),
    st.integers(-20_000_000, 20_000_000).map(lambda us: TEN + timedelta(microseconds=us)),
)
FLAGS = st.sampled_from([0, 0, int(Flag.PRICE_NEGATIVE), int(Flag.TS_FUTURE), int(Flag.TS_ANCIENT | Flag.BAD_SEQUENCE)])


@st.composite
def random_tick(draw: st.DrawFn) -> Tick:
    """A tick in which whatever counts may differ."""
    name, moment = draw(st.sampled_from(NAMES)), draw(MOMENTS)
    return tick(
        moment,
        str(draw(st.one_of(USUAL, PRICES))),
        instrument_id=name,
        market=draw(st.sampled_from(["", "MISO"])),
        source_id=draw(st.sampled_from(["a", "b", "Zürich"])),
        source_seq=draw(st.sampled_from([0, 1, 2**63 - 1])),
        version=draw(st.one_of(st.integers(1, 5), st.integers(1, 2**64 - 1))),
        volume=draw(st.one_of(st.none(), USUAL.map(str), PRICES.map(str))),
        bid_price=draw(st.one_of(st.none(), USUAL.map(str))),
        energy_price=draw(st.one_of(st.none(), USUAL.map(str))),
        interval_end=draw(st.one_of(st.none(), st.just(moment + timedelta(minutes=5)))),
        currency=draw(st.sampled_from(["USD", "CAD", ""])),
        unit=draw(st.sampled_from(["MWh", ""])),
        quality_flags=draw(FLAGS),
        raw_topic=draw(st.sampled_from(["ingestion.miso.raw.v1", "t"])),
        raw_partition=draw(st.integers(0, 3)),
        raw_offset=draw(st.integers(0, 2**40)),
    )


def distinct(facts: Sequence[Tick]) -> list[Tick]:
    """Statements of which no two have one key and version: which of those stays is no question of bars."""
    return list({(f.series, f.ts, f.source_id, f.source_seq, f.version): f for f in facts}.values())


def assert_alike(domain: ByDomain, clickhouse: InClickHouse) -> None:
    """Every interval's bars are equal in every stored column, and so is what they were before."""
    for interval in domain.intervals.all:
        assert comparable(domain.tables[interval.name].final()) == clickhouse.bars(interval.name), interval.name
    assert comparable(domain.revisions.final()) == clickhouse.revisions()


@settings(max_examples=6, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    facts=st.lists(random_tick(), min_size=1, max_size=40).map(distinct),
    later=st.lists(random_tick(), max_size=10).map(distinct),
    sealed=st.dictionaries(st.sampled_from(NAMES), MOMENTS, max_size=6),
    names=st.sampled_from([("5m", "1h", "1d"), ("5m",), ("5m", "1h")]),
)
def test_both_make_the_same_bars(
    facts: list[Tick], later: list[Tick], sealed: dict[str, datetime], names: tuple[str, ...]
) -> None:
    intervals, seals = BarIntervals.parse(names), seals_of(sealed)
    later = [fact for fact in distinct([*later, *facts]) if fact not in facts]
    domain, clickhouse = ByDomain.of(intervals, facts), InClickHouse.of(database("chdb"), intervals, facts)
    domain.recompute(seals, Cause.BACKFILL)
    clickhouse.recompute(seals, Cause.BACKFILL)
    assert_alike(domain, clickhouse)
    domain.ticks.upsert(TickBatch.of(later))
    ClickHouseTickTable(clickhouse.client).upsert(TickBatch.of(later))
    domain.recompute(seals, Cause.CORRECTION)
    clickhouse.recompute(seals, Cause.CORRECTION)
    assert_alike(domain, clickhouse)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_transport_computes_them(transport: str) -> None:
    facts = [
        tick(f"10:0{minute}", f"3.{minute}", volume="2", instrument_id=name) for minute in range(10) for name in NAMES
    ]
    intervals = BarIntervals.parse(INTERVALS)
    domain, clickhouse = ByDomain.of(intervals, facts), InClickHouse.of(database(transport), intervals, facts)
    domain.recompute(seals_of({}), Cause.LATE)
    clickhouse.recompute(seals_of({}), Cause.LATE, instrument_ids=NAMES)
    assert_alike(domain, clickhouse)


def test_a_slice_may_take_longer_than_other_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    storing = bar_sql.storing
    monkeypatch.setattr(bar_sql, "storing", lambda bars, stored: f"{storing(bars, stored)} WHERE sleep(3) = 0")
    facts, base = [tick()], BarIntervals.parse(["5m"])
    domain, clickhouse = ByDomain.of(base, facts), InClickHouse.of(database("http"), base, facts)
    impatient = InClickHouse(connect(url_of("http"), answer_within_s=2), base)

    with pytest.raises(StoreUnavailable):
        impatient.client.command("SELECT sleep(3)")
    domain.recompute(seals_of({}), Cause.BACKFILL)
    impatient.recompute(seals_of({}), Cause.BACKFILL)

    assert_alike(domain, clickhouse)


def test_means_and_averages_are_rounded_half_even() -> None:
    prices = ["0.00000001", "0.00000002", "-0.00000001", "-0.00000002", "0.00000003", "-0.00000003"]
    facts = [
        tick(TEN + timedelta(minutes=5 * bar, seconds=n), price, volume=volume)
        for bar, (first, second) in enumerate((a, b) for a in prices for b in prices)
        for n, (price, volume) in enumerate(((first, "1"), (second, "3")))
    ]
    intervals = BarIntervals.parse(["5m"])
    domain, clickhouse = ByDomain.of(intervals, facts), InClickHouse.of(database("chdb"), intervals, facts)
    domain.recompute(seals_of({}), Cause.BACKFILL)
    clickhouse.recompute(seals_of({}), Cause.BACKFILL)
    assert_alike(domain, clickhouse)


def test_quantities_too_large_for_their_column_are_left_out_alike() -> None:
    facts = [
        tick(TEN + timedelta(microseconds=n), "9999999999.99999999", volume="9999999999.99999999", source_seq=n)
        for n in range(120)
    ]
    intervals = BarIntervals.parse(["5m", "1h"])
    domain, clickhouse = ByDomain.of(intervals, facts), InClickHouse.of(database("chdb"), intervals, facts)
    domain.recompute(seals_of({}), Cause.BACKFILL)
    clickhouse.recompute(seals_of({}), Cause.BACKFILL)
    assert_alike(domain, clickhouse)


def test_a_range_is_widened_to_whole_days_of_each_clock() -> None:
    facts = [tick(TEN + timedelta(hours=hour), instrument_id=name) for hour in range(-30, 30, 6) for name in NAMES]
    intervals = BarIntervals.parse(INTERVALS)
    clickhouse = InClickHouse.of(database("chdb"), intervals, facts)
    clickhouse.recompute(seals_of({}), Cause.BACKFILL, start=TEN, end=TEN + timedelta(minutes=1))
    days = {row["instrument_id"]: (row["interval_start"], row["trade_count"]) for row in clickhouse.bars("1d")}
    assert days["NG_HH"] == (at("00:00"), 4)
    assert days["MISO.LMP.RT.A"] == (at("05:00"), 4)
    assert days["CAISO.LMP.RTM.B"] == (at("07:00"), 4)
    assert sum(row["trade_count"] for row in clickhouse.bars("5m")) == 4 * len(NAMES)


@pytest.mark.parametrize("slice_ticks", [3, 1_000])
def test_a_long_range_is_computed_in_slices(slice_ticks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_recompute, "SLICE_TICKS", slice_ticks)
    facts = [tick(TEN + timedelta(days=200 * n, hours=n), instrument_id=name) for n in range(12) for name in NAMES[:2]]
    intervals = BarIntervals.parse(INTERVALS)
    domain, clickhouse = ByDomain.of(intervals, facts), InClickHouse.of(database("chdb"), intervals, facts)
    domain.recompute(seals_of({}), Cause.BACKFILL)
    clickhouse.recompute(seals_of({}), Cause.BACKFILL, end=TEN + 3_000 * DAY)
    assert_alike(domain, clickhouse)


def test_a_plan_says_which_parts_come_and_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_recompute, "SLICE_TICKS", 2)
    facts = [tick(TEN + timedelta(days=n, minutes=m)) for n in range(3) for m in range(2)]
    clickhouse = InClickHouse.of(database("chdb"), BarIntervals.parse(INTERVALS), facts)
    work = ClickHouseRangeRecompute(clickhouse.client, clickhouse.intervals)
    asked = BarRange(tenant_id=TENANT, start=TEN, end=TEN + 9 * DAY)

    planned = work.planned(asked)
    assert [(part.clock, part.start, part.ticks) for part in planned] == [
        ("UTC", at("00:00") + n * DAY, 2) for n in range(3)
    ]
    assert clickhouse.bars("5m") == []
    told: list[Slice] = []
    work.recompute(asked, told.append)
    assert told == planned
    assert len(clickhouse.bars("5m")) == 3
    with pytest.raises(ValueError, match="is empty"):
        work.planned(attrs.evolve(asked, end=TEN))


def test_other_instruments_and_tenants_are_left_alone() -> None:
    facts = [tick(instrument_id=name, tenant_id=tenant) for name in NAMES for tenant in (TENANT, "acme")]
    intervals = BarIntervals.parse(INTERVALS)
    clickhouse = InClickHouse.of(database("chdb"), intervals, facts)
    clickhouse.recompute(seals_of({}), Cause.BACKFILL, instrument_ids=["NG_HH", "PJM.X"])
    told = [[(row["tenant_id"], row["instrument_id"]) for row in clickhouse.bars(name)] for name in INTERVALS]
    assert told == [[(TENANT, "NG_HH"), (TENANT, "PJM.X")]] * 3


def test_repeating_it_changes_nothing() -> None:
    facts = [tick(f"10:0{minute}", instrument_id=name) for minute in range(10) for name in NAMES]
    clickhouse = InClickHouse.of(database("chdb"), BarIntervals.parse(INTERVALS), facts)
    clickhouse.recompute(seals_of({"NG_HH": TEN + DAY}), Cause.BACKFILL)
    before = [clickhouse.bars(name) for name in INTERVALS]
    clickhouse.recompute(seals_of({}), Cause.CORRECTION)
    assert before == [clickhouse.bars(name) for name in INTERVALS]


def test_days_begin_before_1970_where_their_clock_says_so() -> None:
    facts = [tick(EARLY + timedelta(hours=hour), instrument_id="CAISO.X") for hour in (1, 9)]
    intervals = BarIntervals.parse(INTERVALS)
    domain, clickhouse = ByDomain.of(intervals, facts), InClickHouse.of(database("chdb"), intervals, facts)
    domain.recompute(seals_of({}), Cause.BACKFILL)
    clickhouse.recompute(seals_of({}), Cause.BACKFILL, start=EARLY, end=EARLY + DAY)
    assert_alike(domain, clickhouse)


def test_a_reversed_range_is_refused() -> None:
    clickhouse = InClickHouse.of(database("chdb"), BarIntervals.parse(INTERVALS), [])
    with pytest.raises(ValueError, match="empty"):
        clickhouse.recompute(seals_of({}), Cause.BACKFILL, start=TEN, end=TEN)
