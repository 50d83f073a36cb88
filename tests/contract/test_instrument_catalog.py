"""What every instrument catalog promises, on a small set of reference data."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from adapters.memory.instrument_catalog import MemoryInstrumentCatalog
from adapters.memory.reference import reference_from
from adapters.memory.reference_files import SHIPPED
from adapters.redis.instrument_cache import RedisInstrumentCache
from adapters.sql.instrument_catalog import SqlInstrumentCatalog
from adapters.sql.reference_store import SqlReferenceStore
from application.commands.load_reference import LoadReference
from application.ports.instrument_catalog import InstrumentCatalog
from application.ports.reference_store import BadReference
from domain.gold.limits import BEGINNING
from domain.gold.taxonomy import UNKNOWN, Classification, History, InstrumentKey
from tests.performing import StandingClock
from tests.support.databases import KINDS, loaded, reference_database
from tests.support.redis import empty_redis

SOUTH_JOINED = datetime(2013, 12, 19, tzinfo=UTC)
RETIRED = datetime(2020, 1, 1, tzinfo=UTC)

INSTRUMENTS = """
version: 7
markets:
  MISO: {region: us-miso}
groups:
  - {market: MISO, kinds: [LMP], locations: [TEXAS.HUB, HUD VL], since: 2013-12-19, until: 2020-01-01, commodity: power, region: south, tier: hub, tags: [b, a]}
  - {market: MISO, kinds: [LMP], locations: [TEXAS.HUB], since: 2020-01-01T00:00:00Z, commodity: power, region: us-miso}
  - {market: MISO, kinds: [AS], commodity: ancillary_services}
  - {instruments: [NG_HH], commodity: natural_gas}
  - {tenant: acme, instruments: [NG_HH], commodity: gas}
  - {patterns: ['NG[FGH]\\d\\d'], commodity: natural_gas}
"""
REGIONS = "regions: {us-miso: {name: MISO}, south: {name: South}}"
ALIASES = """
instruments: {HENRY: NG_HH}
locations: {MISO: {TX: TEXAS.HUB}}
"""


class InstrumentCatalogContract:
    """Inherited by the suite of each adapter, which says how to make a catalog of the reference data above."""

    @pytest.fixture
    def catalog(self) -> InstrumentCatalog:
        raise NotImplementedError

    def history(
        self, catalog: InstrumentCatalog, instrument: str, tenant: str = "default"
    ) -> tuple[Classification, ...]:
        key = InstrumentKey(tenant, instrument)
        return catalog.lookup([key])[key]

    def test_its_version_stays_while_nothing_is_loaded(self, catalog: InstrumentCatalog) -> None:
        assert catalog.version() == catalog.version() >= 0

    def test_every_instrument_asked_for_is_answered(self, catalog: InstrumentCatalog) -> None:
        asked = [
            InstrumentKey("default", "NG_HH"),
            InstrumentKey("default", "NOBODY_KNOWS"),
            InstrumentKey("b", "NG_HH"),
        ]
        assert set(catalog.lookup(asked)) == set(asked)
        assert catalog.lookup([]) == {}

    def test_an_instrument_that_was_always_the_same_has_one_classification(self, catalog: InstrumentCatalog) -> None:
        (found,) = self.history(catalog, "NG_HH")
        assert (found.since, found.commodity, found.metadata_version) == (BEGINNING, "natural_gas", 7)

    def test_a_history_covers_all_time_with_gaps_filled_by_the_market(self, catalog: InstrumentCatalog) -> None:
        found = self.history(catalog, "MISO.LMP.RT.HUD-VL")
        told = [(one.since, one.commodity, one.region, one.metadata_version) for one in found]
        assert told == [
            (BEGINNING, "", "us-miso", 1),
            (SOUTH_JOINED, "power", "south", 7),
            (RETIRED, "", "us-miso", 1),
        ]

    def test_one_period_follows_another(self, catalog: InstrumentCatalog) -> None:
        found = self.history(catalog, "MISO.LMP.DA.TEXAS.HUB")
        assert [(one.since, one.region) for one in found] == [
            (BEGINNING, "us-miso"),
            (SOUTH_JOINED, "south"),
            (RETIRED, "us-miso"),
        ]

    def test_texts_are_json(self, catalog: InstrumentCatalog) -> None:
        found = self.history(catalog, "MISO.LMP.DA.TEXAS.HUB")[1]
        assert found.tags == '["a", "b"]'
        assert found.taxonomy == '{"confidence": "1.0", "method": "catalog", "version": "7"}'

    def test_a_location_is_known_for_every_run(self, catalog: InstrumentCatalog) -> None:
        runs = [self.history(catalog, f"MISO.LMP.{run}.TEXAS.HUB") for run in ("DA", "RT", "RT_HOURLY")]
        assert runs[0] == runs[1] == runs[2]

    def test_a_kind_is_known_for_every_location(self, catalog: InstrumentCatalog) -> None:
        assert self.history(catalog, "MISO.AS.REG.ZONE1")[0].commodity == "ancillary_services"

    def test_an_alias_answers_as_what_it_stands_for(self, catalog: InstrumentCatalog) -> None:
        assert self.history(catalog, "HENRY") == self.history(catalog, "NG_HH")
        assert self.history(catalog, "MISO.LMP.DA.TX") == self.history(catalog, "MISO.LMP.DA.TEXAS.HUB")

    def test_a_tenants_own_entry_comes_first_and_is_nobody_elses(self, catalog: InstrumentCatalog) -> None:
        told = [self.history(catalog, "NG_HH", tenant)[0].commodity for tenant in ("acme", "default")]
        assert told == ["gas", "natural_gas"]

    def test_a_pattern_speaks_where_nothing_else_does(self, catalog: InstrumentCatalog) -> None:
        found = [self.history(catalog, name)[0] for name in ("NGF27", "NGF27X")]
        assert [one.commodity for one in found] == ["natural_gas", ""]
        assert '"method": "pattern"' in found[0].taxonomy

    def test_of_an_unknown_instrument_only_what_its_market_implies_is_known(self, catalog: InstrumentCatalog) -> None:
        (node,) = self.history(catalog, "MISO.LMP.RT.SOME.NODE")
        assert (node.commodity, node.region, node.product_tier, node.metadata_version) == ("", "us-miso", "", 1)
        assert self.history(catalog, "NOBODY_KNOWS") == (attrs.evolve(UNKNOWN, metadata_version=1),)


def written(folder: Path, **files: str) -> Path:
    for name, text in ({"instruments": INSTRUMENTS, "regions": REGIONS, "aliases": ALIASES} | files).items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


class TestMemoryInstrumentCatalog(InstrumentCatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> InstrumentCatalog:
        return MemoryInstrumentCatalog.from_files(written(tmp_path))

    @pytest.mark.parametrize(
        ("files", "told"),
        [
            ({"instruments": "groups: [{instrument: [A], commodity: x}]"}, "nobody reads instrument;"),
            ({"instruments": "groups: [{instruments: A, commodity: x}]"}, "instruments must be a list of texts"),
            ({"instruments": "groups: [{instruments: [1], commodity: x}]"}, "quote what YAML reads"),
            ({"instruments": "groups: [{instruments: [A]}]"}, "needs a commodity"),
            (
                {"instruments": "groups: [{instruments: [A], commodity: x, since: 2020-01-01, until: 2019-01-01}]"},
                "to end after it begins",
            ),
            ({"instruments": "groups: [{instruments: [A], commodity: x, since: soon}]"}, "since must be a date"),
            ({"instruments": "groups: [{instruments: [A, A], commodity: x}]"}, "A: described twice"),
            ({"instruments": "groups: [{instruments: [A], commodity: x, region: mars}]"}, "region mars is unknown"),
            ({"instruments": "- a list"}, "is no mapping"),
            ({"instruments": "{"}, "can't be read"),
            ({"aliases": "names: {}"}, "nobody reads names"),
            ({"instruments": "version: one"}, "version must be a whole number"),
            ({"instruments": "groups: [{kinds: [LMP], commodity: x}]"}, "kinds are those of a market"),
            ({"instruments": "groups: [{patterns: ['('], commodity: x}]"}, "is no regular expression"),
        ],
    )
    def test_a_mistake_is_told_with_its_place(self, tmp_path: Path, files: dict[str, str], told: str) -> None:
        with pytest.raises(BadReference, match=told):
            MemoryInstrumentCatalog.from_files(written(tmp_path, **files))

    def test_an_absent_file_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BadReference, match=r"instruments.yaml can't be read"):
            MemoryInstrumentCatalog.from_files(tmp_path)


class TestSqlInstrumentCatalog(InstrumentCatalogContract):
    @pytest.fixture(params=KINDS)
    def catalog(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InstrumentCatalog]:
        with reference_database(request.param, tmp_path) as database:
            yield SqlInstrumentCatalog(loaded(database, *written(tmp_path).glob("*.yaml")))

    def test_its_version_rises_with_every_load(self, catalog: SqlInstrumentCatalog, tmp_path: Path) -> None:
        before = catalog.version()
        loaded(
            catalog.database,
            *written(tmp_path, instruments="groups: [{instruments: [NEW], commodity: oil}]").glob("i*.yaml"),
        )
        assert (before, catalog.version()) == (1, 2)

    def test_what_is_taken_back_is_told_under_a_higher_version(
        self, catalog: SqlInstrumentCatalog, tmp_path: Path
    ) -> None:
        files = [written(tmp_path, instruments="groups: [{instruments: [OTHER], commodity: oil}]") / "instruments.yaml"]
        command = LoadReference(SqlReferenceStore(catalog.database))
        command.apply(command.plan(reference_from(files), prune=True))
        told = [(one.commodity, one.metadata_version) for one in self.history(catalog, "NG_HH")]
        assert told == [("", 8)]

    def test_an_alias_that_changes_is_told_under_a_higher_version(
        self, catalog: SqlInstrumentCatalog, tmp_path: Path
    ) -> None:
        loaded(catalog.database, written(tmp_path, aliases="instruments: {HENRY: NGF27}") / "aliases.yaml")
        (found,) = self.history(catalog, "HENRY")
        assert (found.metadata_version, '"method": "pattern"' in found.taxonomy) == (8, True)


@pytest.mark.services
class TestRedisInstrumentCache(InstrumentCatalogContract):
    @pytest.fixture(params=["filling", "filled"])
    def catalog(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InstrumentCatalog]:
        catalog = MemoryInstrumentCatalog.from_files(written(tmp_path))
        with empty_redis() as redis:
            cache = RedisInstrumentCache(catalog, redis, StandingClock(), chance=lambda: 0.5)
            yield AskedTwice(cache) if request.param == "filled" else cache


@attrs.frozen
class AskedTwice:
    """A catalog whose every answer is the second one."""

    catalog: InstrumentCatalog

    def version(self) -> int:
        return self.catalog.version()

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        self.catalog.lookup(instruments)
        return self.catalog.lookup(instruments)


@pytest.mark.parametrize(
    ("instrument", "commodity", "tier"),
    [
        ("MISO.LMP.RT.INDIANA.HUB", "power", "hub"),
        ("CAISO.LMP.DAM.TH_NP15_GEN-APND", "power", "hub"),
        ("CAISO.LMP.RTM.DLAP_SDGE-APND", "power", "zone"),
        ("CAISO.LMP.HASP.PALOVRDE_5_N101", "power", "interface"),
        ("ERCOT.LMP.RTM.HB_HOUSTON", "power", "hub"),
        ("PJM.LMP.DA.WESTERN-HUB", "power", "hub"),
        ("NYISO.LBMP.RT.N.Y.C.", "power", "zone"),
        ("NYISO.LBMP.RT.HUD-VL", "power", "zone"),
        ("ISONE.LMP.DA..H.INTERNAL_HUB", "power", "hub"),
        ("AESO.POOL_PRICE", "power", "pool"),
        ("PJM.RPM.BRA.COMED", "capacity", "zone"),
        ("HENRY_HUB_SPOT", "natural_gas", "hub"),
        ("NG_HH_BALMO", "natural_gas", "contract"),
        ("NGU26", "natural_gas", "contract"),
        ("CLG24", "oil", "contract"),
        ("EEX.DEB.Q.2022-04-01", "power", "contract"),
        ("BTCUSDT", "crypto", "spot"),
        ("XBTUSDT", "crypto", "spot"),
        ("ETHUSDT-PERP", "crypto", "perpetual"),
    ],
)
def test_the_shipped_reference_knows_the_well_known(instrument: str, commodity: str, tier: str) -> None:
    key = InstrumentKey("default", instrument)
    found = MemoryInstrumentCatalog.from_files(SHIPPED).lookup([key])[key][-1]
    assert (found.commodity, found.product_tier) == (commodity, tier)
