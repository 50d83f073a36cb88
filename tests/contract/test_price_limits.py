"""What every source of price limits promises."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.memory.price_limits import MemoryPriceLimits
from adapters.sql.price_limits import SqlPriceLimits
from application.ports.price_limits import PriceLimitPolicies
from application.ports.reference_store import BadReference
from domain.gold.instrument_name import InstrumentName
from domain.gold.limits import Bounds, Subject
from tests.support.databases import KINDS, loaded, reference_database

NOW = datetime(2026, 10, 1, tzinfo=UTC)

LIMITS = """
limits:
  - {floor: -100, cap: 100}
  - {commodity: power, cap: 200}
  - {market: CAISO, kinds: [LMP], until: 2021-03-21, cap: 300}
  - {market: CAISO, kinds: [LMP], since: 2021-03-21, cap: "399.5"}
  - {market: CAISO, location: HUB ONE, floor: -50}
  - {instrument: CAISO.LMP.DAM.HUB-ONE, cap: 500}
"""


class PriceLimitsContract:
    """Inherited by the suite of each adapter, which says how to make policies of the limits above."""

    @pytest.fixture
    def policies(self) -> PriceLimitPolicies:
        raise NotImplementedError

    @pytest.mark.parametrize(
        ("instrument", "commodity", "at", "bounds"),
        [
            ("ACME", "", NOW, ("-100", "100")),
            ("ACME", "power", NOW, ("-100", "200")),
            ("CAISO.LMP.RTM.X", "power", NOW, ("-100", "399.5")),
            ("CAISO.LMP.RTM.X", "power", datetime(2021, 3, 20, tzinfo=UTC), ("-100", "300")),
            ("CAISO.AS.RTM.X", "power", NOW, ("-100", "200")),
            ("CAISO.LMP.RTM.HUB-ONE", "power", NOW, ("-50", "399.5")),
            ("CAISO.LMP.DAM.HUB-ONE", "power", NOW, ("-50", "500")),
        ],
    )
    def test_the_bounds_in_force(
        self, policies: PriceLimitPolicies, instrument: str, commodity: str, at: datetime, bounds: tuple[str, str]
    ) -> None:
        subject = Subject(InstrumentName.of(instrument), commodity)
        assert policies.limits().covering(subject).bounds(at) == Bounds(*map(Decimal, bounds))


def written(folder: Path, text: str) -> Path:
    (folder / "price_limits.yaml").write_text(text, encoding="utf-8")
    return folder


class TestSqlPriceLimits(PriceLimitsContract):
    @pytest.fixture(params=KINDS)
    def policies(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PriceLimitPolicies]:
        with reference_database(request.param, tmp_path) as database:
            yield SqlPriceLimits(loaded(database, written(tmp_path, LIMITS) / "price_limits.yaml"))


class TestMemoryPriceLimits(PriceLimitsContract):
    @pytest.fixture
    def policies(self, tmp_path: Path) -> PriceLimitPolicies:
        return MemoryPriceLimits.from_files(written(tmp_path, LIMITS))

    @pytest.mark.parametrize(
        ("limit", "told"),
        [
            ("{market: CAISO}", "limit 1: needs a floor, a cap"),
            ("{floor: 2, cap: 1}", "the cap not below the floor"),
            ("{floor: 0.5}", "floor must be a whole number or a quoted decimal"),
            ("{cap: true}", "cap must be a whole number"),
            ('{cap: "1e3"}', "cap must be a whole number"),
            ("{ceiling: 3}", "nobody reads ceiling"),
        ],
    )
    def test_a_mistake_is_told_with_its_place(self, tmp_path: Path, limit: str, told: str) -> None:
        with pytest.raises(BadReference, match=told):
            MemoryPriceLimits.from_files(written(tmp_path, f"limits: [{limit}]"))
