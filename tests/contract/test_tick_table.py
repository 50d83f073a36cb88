"""What every table of silver ticks promises."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs
import polars as pl
import pytest

from adapters.clickhouse.tick_table import ClickHouseTickTable
from adapters.memory.tables import MemoryTickTable
from application.ports.tick_table import TickTable
from domain.batch import INSTANT, stored_columns
from domain.identity import SERIES
from domain.silver.tick import Tick, TickBatch, content_digests
from tests.builders import TEN, at, tick, ticks
from tests.support.clickhouse import TRANSPORTS, database, emptied
from tests.unit.wire_events.facts import full_tick_fields

MINUTE = timedelta(minutes=1)


def windows(*spans: tuple[str, str | datetime, str | datetime]) -> pl.DataFrame:
    """Windows of series, as (series, start, end)."""
    moments = [[at(text) if isinstance(text, str) else text for text in span[1:]] for span in spans]
    return pl.DataFrame(
        {
            "series": pl.Series([series for series, *_ in spans], dtype=pl.String).cast(SERIES),
            "start": pl.Series([start for start, _ in moments], dtype=INSTANT),
            "end": pl.Series([end for _, end in moments], dtype=INSTANT),
        }
    )


def found(batch: TickBatch) -> list[tuple[str, datetime, Decimal]]:
    """What was read, in the order of time."""
    return sorted((fact.series, fact.ts, fact.price) for fact in batch.facts())


def stored_form(facts: Sequence[Tick]) -> TickBatch:
    """Ticks without what tables don't keep."""
    return TickBatch.of(attrs.evolve(fact, source_event_id="", source_system="", trace_id="") for fact in facts)


class TickTableContract:
    """Inherited by the suite of each adapter, which says how to make an empty table."""

    @pytest.fixture
    def table(self) -> TickTable:
        raise NotImplementedError

    def test_a_table_begins_empty(self, table: TickTable) -> None:
        assert table.final().columns == stored_columns(Tick)
        assert len(table.final()) == 0
        assert len(table.within(windows(("default|NG_HH", "10:00", "10:05")))) == 0

    def test_a_tick_comes_back_as_it_was_stored(self, table: TickTable) -> None:
        facts = [
            tick(),
            tick(instrument_id="FULL", **full_tick_fields()),
            tick(instrument_id="Z", price="-9999999999.99999999"),
        ]
        table.upsert(TickBatch.of(facts))
        read = table.within(windows(*((fact.series, TEN, TEN + MINUTE) for fact in facts)))
        assert sorted(map(str, read.facts())) == sorted(map(str, stored_form(facts).facts()))

    def test_all_ticks_are_listed_in_the_order_of_their_keys(self, table: TickTable) -> None:
        facts = [tick("10:01"), tick("10:00"), tick(instrument_id="A"), tick(tenant_id="acme")]
        table.upsert(ticks(*facts))
        ordered = [facts[3], facts[2], facts[1], facts[0]]
        assert table.final().equals(TickBatch.of(ordered).frame.select(stored_columns(Tick)))

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_statements_the_higher_version_stays(self, table: TickTable, order: tuple[int, int]) -> None:
        facts = [tick(price="1", version=1), tick(price="2", version=2**64 - 1)]
        for position in order:
            table.upsert(ticks(facts[position]))
        assert found(table.within(windows(("default|NG_HH", "10:00", "10:05")))) == [("default|NG_HH", TEN, Decimal(2))]
        assert table.final()["price"].to_list() == [2]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_of_two_equally_new_statements_the_greater_content_stays(
        self, table: TickTable, order: tuple[int, int]
    ) -> None:
        said = ticks(tick(price="5", version=2**64 - 1), tick(price="6", version=2**64 - 1))
        for position in order:
            table.upsert(TickBatch(said.frame[position : position + 1]))
        greater = said.frame[content_digests(said.frame).arg_max() :]["price"][0]
        assert table.final()["price"].to_list() == [greater]
        assert found(table.within(windows(("default|NG_HH", "10:00", "10:05")))) == [("default|NG_HH", TEN, greater)]

    def test_of_two_statements_in_one_batch_the_higher_version_stays(self, table: TickTable) -> None:
        table.upsert(ticks(tick(price="2", version=2), tick(price="1", version=1)))
        assert table.final()["price"].to_list() == [2]

    def test_a_higher_version_replaces_what_it_no_longer_says(self, table: TickTable) -> None:
        table.upsert(ticks(tick(version=1, volume="5", metadata='{"a":"b"}', quality_flags=3)))
        table.upsert(ticks(tick(version=2)))
        assert table.final().select("volume", "metadata", "quality_flags").rows() == [(None, "{}", 0)]

    def test_writing_again_changes_nothing(self, table: TickTable) -> None:
        for _ in range(3):
            table.upsert(ticks(tick()))
        assert table.final().equals(ticks(tick()).frame.select(stored_columns(Tick)))

    def test_sources_sequences_and_tenants_are_apart(self, table: TickTable) -> None:
        facts = [tick(), tick(source_id="other"), tick(source_seq=7), tick(tenant_id="acme")]
        table.upsert(ticks(*facts))
        assert len(table.final()) == len(facts)
        assert len(table.within(windows(("acme|NG_HH", "10:00", "10:05")))) == 1

    def test_a_window_is_half_open(self, table: TickTable) -> None:
        edge = at("10:05")
        table.upsert(ticks(tick("10:00"), tick(edge - timedelta(microseconds=1)), tick(edge)))
        times = [ts for _, ts, _ in found(table.within(windows(("default|NG_HH", "10:00", "10:05"))))]
        assert times == [TEN, edge - timedelta(microseconds=1)]

    def test_only_the_windows_of_a_series_are_read(self, table: TickTable) -> None:
        table.upsert(ticks(*(tick(f"10:0{n}", instrument_id=name) for n in range(6) for name in ("A", "B"))))
        read = found(
            table.within(
                windows(
                    ("default|A", "10:00", "10:02"), ("default|A", "10:04", "10:05"), ("default|B", "10:03", "10:04")
                )
            )
        )
        assert [(series, ts) for series, ts, _ in read] == [
            ("default|A", at("10:00")),
            ("default|A", at("10:01")),
            ("default|A", at("10:04")),
            ("default|B", at("10:03")),
        ]

    def test_a_window_may_span_days(self, table: TickTable) -> None:
        facts = [tick(TEN + timedelta(days=day)) for day in range(5)]
        table.upsert(ticks(*facts))
        read = found(table.within(windows(("default|NG_HH", TEN + timedelta(days=1), TEN + timedelta(days=4)))))
        assert [ts for _, ts, _ in read] == [fact.ts for fact in facts[1:4]]

    def test_a_window_may_begin_and_end_within_a_minute(self, table: TickTable) -> None:
        edges = [TEN + timedelta(microseconds=moment) for moment in (0, 5, 10, 60_000_005)]
        table.upsert(ticks(*(tick(edge) for edge in edges)))
        for begin, end, expected in ((1, 2, edges[1:2]), (0, 2, edges[:2]), (2, 3, edges[2:3]), (3, 3, [])):
            window = windows(("default|NG_HH", edges[begin], edges[end]))
            assert [ts for _, ts, _ in found(table.within(window))] == expected

    def test_one_more_than_is_wanted_at_most_is_returned(self, table: TickTable) -> None:
        table.upsert(ticks(*(tick(f"10:0{n}") for n in range(5))))
        ten_o_clock = windows(("default|NG_HH", "10:00", "10:05"))
        assert [len(table.within(ten_o_clock, at_most)) for at_most in (2, 4, 5, 9)] == [3, 5, 5, 5]

    def test_no_windows_hold_nothing(self, table: TickTable) -> None:
        table.upsert(ticks(tick()))
        assert table.within(windows()) == TickBatch.empty()

    def test_a_batch_may_span_years(self, table: TickTable) -> None:
        table.upsert(ticks(*(tick(TEN - timedelta(days=3 * day)) for day in range(250))))
        assert len(table.final()) == 250

    def test_an_empty_batch_is_fine(self, table: TickTable) -> None:
        table.upsert(TickBatch.empty())
        assert len(table.final()) == 0

    def test_thousands_of_windows_are_read_at_once(self, table: TickTable) -> None:
        names = [f"MISO.LMP.RT.NODE.{number}" for number in range(5_000)]
        frame = pl.concat([ticks(tick()).frame] * len(names)).with_columns(
            instrument_id=pl.Series(names), series=pl.Series([f"default|{name}" for name in names]).cast(SERIES)
        )
        table.upsert(TickBatch(frame))
        asked = windows(*((f"default|{name}", TEN, TEN + MINUTE) for name in names[::2]))
        assert sorted(table.within(asked).frame["instrument_id"]) == sorted(names[::2])

    @pytest.mark.parametrize(
        "name", ["A'); DROP TABLE silver_ticks; --", "a\\", 'q"uote', "{tenant:String}", "Zürich ☃", "%s"]
    )
    def test_names_are_values_and_nothing_else(self, table: TickTable, name: str) -> None:
        table.upsert(ticks(tick(instrument_id=name, symbol=name, metadata="{}"), tick()))
        read = table.within(windows((f"default|{name}", "10:00", "10:05")))
        assert read.frame["symbol"].to_list() == [name]


class TestMemoryTickTable(TickTableContract):
    @pytest.fixture
    def table(self) -> TickTable:
        return MemoryTickTable()


class TestClickHouseTickTable(TickTableContract):
    @pytest.fixture(params=TRANSPORTS)
    def table(self, request: pytest.FixtureRequest) -> TickTable:
        return ClickHouseTickTable(emptied(database(request.param), "silver_ticks"))
