"""Reference files read for loading them elsewhere."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.memory.reference import reference_from
from adapters.memory.reference_files import SHIPPED
from application.ports.reference_store import PARTS, BadReference, Region
from domain.gold.catalog import Entry
from domain.gold.limits import PriceLimit


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_files_have_every_part() -> None:
    found = reference_from(sorted(SHIPPED.glob("*.yaml")))
    assert all(len(getattr(found, part)) for part in PARTS)


def test_a_row_of_instruments_is_a_group(tmp_path: Path) -> None:
    rows = (
        "tenant,market,kinds,locations,since,commodity,tags\n"
        "acme,MISO,LMP;AS,TEXAS.HUB,2013-12-19,power,b; a\n"
        ",MISO,LMP,TEXAS.HUB,,power,\n"
    )
    found = reference_from([file(tmp_path, "instruments.csv", rows)]).entries
    acme = Entry(since=datetime(2013, 12, 19, tzinfo=UTC), commodity="power", tags=("a", "b"), version=0)
    assert found == {
        ("acme", "MISO.LMP.*.TEXAS.HUB"): (acme,),
        ("acme", "MISO.AS.*.TEXAS.HUB"): (acme,),
        ("*", "MISO.LMP.*.TEXAS.HUB"): (Entry(commodity="power", version=0),),
    }


def test_rows_of_regions_and_aliases(tmp_path: Path) -> None:
    regions = file(tmp_path, "regions.csv", "region,name,within\nus,United States,\nus-miso,MISO,us\n")
    aliases = file(tmp_path, "aliases.csv", "market,alias,instrument\n,HENRY,NG_HH\nMISO,tx,TEXAS.HUB\n")
    found = reference_from([regions, aliases])
    assert found.regions == {"us": Region("United States"), "us-miso": Region("MISO", "us")}
    assert (found.instrument_aliases, found.location_aliases) == ({"HENRY": "NG_HH"}, {("MISO", "TX"): "TEXAS.HUB"})


def test_a_limit_with_two_bounds_is_two_limits(tmp_path: Path) -> None:
    found = reference_from([file(tmp_path, "price_limits.csv", "market,floor,cap\nX,-1.5,20\n")]).limits
    (limits,) = found.values()
    assert limits == (PriceLimit(market="X", floor=Decimal("-1.5")), PriceLimit(market="X", cap=Decimal(20)))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("nodes.yaml", "", "a reference file is named instruments, regions"),
        ("instruments.txt", "", "a reference file is named"),
        ("feeds.csv", "market\nX\n", "feeds are read from YAML"),
        ("regions.csv", "region,name\nus,United States,more\n", "row 1: has more cells"),
        ("regions.csv", "name\nUnited States\n", "row 1: needs a region"),
        ("regions.csv", "region\nus\n", "us: needs a name"),
        ("regions.yaml", "regions: {us: {title: x}}", "nobody reads title"),
        ("aliases.csv", "alias\nHENRY\n", "row 1: needs an alias and an instrument"),
        ("aliases.csv", "alias,instrument,kind\nHENRY,NG,x\n", "nobody reads kind"),
        ("instruments.csv", "instruments,commodity,since\nNG,gas,soon\n", "since must be a date or a time, is 'soon'"),
        ("instruments.yaml", "groups: [{instruments: [A], commodity: x, tier: [y]}]", "group 1: tier must be a text"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(BadReference, match=told):
        reference_from([file(tmp_path, name, text)])


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadReference, match=r"regions.csv can't be read"):
        reference_from([tmp_path / "regions.csv"])


def test_two_files_may_not_speak_of_the_same(tmp_path: Path) -> None:
    one = file(tmp_path, "regions.yaml", "regions: {us: {name: United States}}")
    other = file(tmp_path, "regions.csv", "region,name\nus,USA\n")
    with pytest.raises(BadReference, match="us is in another of these files too"):
        reference_from([one, other])
