"""Reference data that changes in a database reaches the ticks that are stored, whatever kind of change it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.clickhouse.enriched_table import ClickHouseEnrichedTable
from adapters.memory.reference import reference_from
from adapters.sql.database import Database
from adapters.sql.instrument_catalog import SqlInstrumentCatalog
from adapters.sql.price_limits import SqlPriceLimits
from adapters.sql.reference_store import SqlReferenceStore
from application import topics
from application.commands.load_reference import LoadReference
from application.ports.event_log import TopicPartition
from application.reenrichment import Reenrichment
from application.stage import Share
from application.stages.enrich import EnrichTicks
from domain.silver.tick import Tick
from tests.builders import tick, ticks
from tests.performing import Performed, StandingClock, Tally, polled
from tests.support.clickhouse import database as clickhouse
from tests.support.clickhouse import emptied
from tests.support.databases import KINDS, reference_database

BEGINNING = "version: 1\ngroups: [{instruments: [A], commodity: power}, {instruments: [B], commodity: power}]"


class Enriching:
    """The stage on real stores, turned by hand."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder, self.clock = database, folder, StandingClock()
        self.table = ClickHouseEnrichedTable(emptied(clickhouse("chdb"), "enriched_ticks"))
        catalog, limits = SqlInstrumentCatalog(database), SqlPriceLimits(database)
        again = Reenrichment(catalog, limits, self.table)
        self.stage = EnrichTicks(catalog=catalog, policies=limits, again=again, clock=self.clock, meter=Tally())
        self.stage.assigned({TopicPartition(topics.NORMALIZED, 0): Share()})
        self.performed = Performed({"enriched_ticks": self.table})

    def load(self, *, prune: bool = False, **files: str) -> None:
        paths = [self.folder / f"{name}.yaml" for name in files]
        for path, text in zip(paths, files.values(), strict=True):
            path.write_text(text)
        command = LoadReference(SqlReferenceStore(self.database))
        command.apply(command.plan(reference_from(paths), prune=prune))
        self.clock.seconds += 5

    def enrich(self, *facts: Tick) -> None:
        more = True
        while more:
            outcome = self.stage.run(polled(topics.NORMALIZED, ticks(*facts)))
            self.performed.perform(outcome)
            facts, more = (), outcome.more

    def known(self) -> dict[str, tuple[str, int, int]]:
        """Commodity, metadata version and flags by instrument."""
        rows = self.table.final().select("instrument_id", "commodity", "metadata_version", "quality_flags").rows()
        return {name: (commodity, version, flags) for name, commodity, version, flags in rows}


@pytest.fixture(params=KINDS)
def enriching(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Enriching]:
    with reference_database(request.param, tmp_path) as database:
        found = Enriching(database, tmp_path)
        found.load(instruments=BEGINNING)
        found.enrich(*(tick(instrument_id=name) for name in "ABC"))
        assert found.known() == {"A": ("power", 1, 0), "B": ("power", 1, 0), "C": ("", 1, 1 << 16)}
        yield found


def test_what_arrives_and_what_changes_touches_its_rows_alone(enriching: Enriching) -> None:
    enriching.load(instruments="groups: [{instruments: [B, C], commodity: oil}]")
    enriching.enrich()
    assert enriching.known() == {"A": ("power", 1, 0), "B": ("oil", 2, 0), "C": ("oil", 2, 0)}


def test_a_limit_that_changes_is_in_the_flags(enriching: Enriching) -> None:
    enriching.load(price_limits="limits: [{instrument: A, cap: 1}]")
    enriching.enrich()
    assert enriching.known() == {"A": ("power", 2, 1 << 17), "B": ("power", 2, 0), "C": ("", 2, 1 << 16)}


def test_what_is_taken_back_is_gone_from_the_rows(enriching: Enriching) -> None:
    enriching.load(instruments="version: 1\ngroups: [{instruments: [A], commodity: power}]", prune=True)
    enriching.enrich()
    assert enriching.known() == {"A": ("power", 2, 0), "B": ("", 2, 1 << 16), "C": ("", 2, 1 << 16)}


def test_after_it_a_new_entry_still_wins(enriching: Enriching) -> None:
    enriching.load(price_limits="limits: [{instrument: A, cap: 1}]")
    enriching.load(instruments="groups: [{instruments: [C], commodity: gas}]")
    enriching.enrich()
    assert enriching.known()["C"] == ("gas", 3, 0)
