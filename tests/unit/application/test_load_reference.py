"""Loading reference data: the plan, the changes, and what is refused."""

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs
import pytest

from application.commands.load_reference import LoadReference, LoadStarterSet, Plan, RequireReference
from application.ports.errors import SchemaBehind
from application.ports.reference_store import BadReference, Change, Reference, Region, StaleReference
from domain.gold.catalog import Entry, MarketRegion, Pattern
from domain.gold.limits import PriceLimit
from domain.silver.feed import FeedPolicy
from tests.builders import decimal

NG = ("*", "NG_HH")
FEED = FeedPolicy(market="X", data_type="lmp", market_run="", horizon_s=1, lateness_s=1, idle_s=1)


@attrs.define
class Held:
    """A store in memory."""

    reference: Reference = attrs.field(factory=Reference)
    written: list[tuple[Sequence[Change], int]] = attrs.field(factory=list)
    overtaken: bool = False
    floor: int = 0

    def loads(self) -> int:
        return self.reference.load

    def held(self) -> Reference:
        return self.reference

    def write(self, changes: Sequence[Change], load: int, floor: int) -> None:
        if self.overtaken:
            raise StaleReference("somebody loaded reference data meanwhile")
        self.written.append((changes, load))
        self.floor = floor


def gas(version: int = 1, **fields: object) -> Entry:
    return Entry(**({"commodity": "natural_gas", "version": version} | fields))  # type: ignore[arg-type]


def plan(held: Reference, given: Reference, *, prune: bool = False) -> list[tuple[str, object, object]]:
    """Part, key and what becomes of it, of each change."""
    found = LoadReference(Held(held)).plan(given, prune=prune)
    return [(change.part, change.key, change.after) for change in found.changes]


def test_everything_is_new_to_an_empty_store() -> None:
    given = Reference(regions={"us": Region("United States")}, entries={NG: (gas(),)})
    assert plan(Reference(), given) == [("regions", "us", Region("United States")), ("entries", NG, (gas(),))]


def test_the_same_again_changes_nothing_under_whatever_version() -> None:
    held = Reference(
        entries={NG: (gas(3),)},
        patterns={("*", "NG.."): Pattern("NG..", 1, gas(3))},
        markets={"MISO": MarketRegion("", 3)},
    )
    given = Reference(
        entries={NG: (gas(1),)},
        patterns={("*", "NG.."): Pattern("NG..", 1, gas(9))},
        markets={"MISO": MarketRegion("", 0)},
    )
    assert plan(held, given) == []


def test_limits_of_one_scope_may_come_in_any_order() -> None:
    floor, cap = PriceLimit(market="X", floor=decimal("0")), PriceLimit(market="X", cap=decimal("1"))
    scope = floor.scope
    assert plan(Reference(limits={scope: (floor, cap)}), Reference(limits={scope: (cap, floor)})) == []


def test_what_is_not_named_stays_unless_pruned() -> None:
    held = Reference(entries={NG: (gas(),), ("*", "OLD"): (gas(),)}, instrument_aliases={"HENRY": "NG_HH"})
    given = Reference(entries={NG: (gas(),)})
    assert plan(held, given) == []
    assert plan(held, given, prune=True) == [("entries", ("*", "OLD"), None)]


def test_a_change_without_a_version_gets_the_next_one() -> None:
    held = Reference(entries={NG: (gas(4),)})
    given = Reference(
        entries={NG: (gas(0, product_tier="hub"),)},
        patterns={("*", "NG.."): Pattern("NG..", 1, gas(0))},
        markets={"MISO": MarketRegion("", 0)},
    )
    found = LoadReference(Held(held)).plan(given)
    versions = [
        change.after.version
        if change.part == "markets"
        else (change.after.entry if change.part == "patterns" else change.after[0]).version
        for change in found.changes
    ]
    assert versions == [5, 5, 5]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Reference(entries={NG: (gas(4, product_tier="hub"),)}), r"entries, \* NG_HH changes, but its version"),
        (Reference(markets={"MISO": MarketRegion("", 2)}), "markets, MISO: changes, but its version is not above 4"),
    ],
)
def test_a_change_under_an_old_version_is_refused(given: Reference, told: str) -> None:
    with pytest.raises(BadReference, match=told):
        plan(Reference(entries={NG: (gas(4),)}), given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Reference(entries={NG: (gas(region="mars"),)}), r"entries, \* NG_HH: region mars is unknown"),
        (Reference(patterns={("*", "N."): Pattern("N.", 1, gas(region="mars"))}), r"patterns, \* N.: region mars"),
        (Reference(markets={"MISO": MarketRegion("mars", 1)}), "markets, MISO: region mars"),
        (Reference(regions={"us": Region("United States", "mars")}), "regions, us: region mars"),
    ],
)
def test_a_region_nobody_loaded_is_refused(given: Reference, told: str) -> None:
    with pytest.raises(BadReference, match=told):
        plan(Reference(), given)


def test_a_region_may_be_held_already_and_must_not_go_while_it_is_named() -> None:
    held = Reference(regions={"us": Region("United States")}, entries={NG: (gas(region="us"),)})
    assert plan(held, Reference(entries={("*", "NEW"): (gas(2, region="us"),)})) == [
        ("entries", ("*", "NEW"), (gas(2, region="us"),))
    ]
    with pytest.raises(BadReference, match="region us is unknown"):
        plan(held, Reference(regions={"de": Region("Germany")}), prune=True)


def test_a_plan_is_applied_as_a_whole_upon_what_it_was_made_of() -> None:
    store = Held(Reference(load=7))
    command = LoadReference(store)
    made = command.plan(Reference(instrument_aliases={"HENRY": "NG_HH"}))
    command.apply(made)
    assert store.written == [([Change("instrument_aliases", "HENRY", None, "NG_HH")], 7)]


EARLY, MIDDLE, LATE = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2022, 2024))


@pytest.mark.parametrize(
    ("given", "floor"),
    [
        (Reference(entries={("*", "NEW"): (gas(0),)}), 3),
        (Reference(entries={NG: (gas(0, commodity="gas", since=EARLY, until=LATE),)}), 3),
        (
            Reference(
                entries={NG: (gas(9, since=EARLY, until=MIDDLE), gas(9, commodity="x", since=MIDDLE, until=LATE))}
            ),
            3,
        ),
        (Reference(entries={NG: (gas(9, since=MIDDLE, until=LATE),)}), 9),
        (Reference(entries={NG: (gas(0, since=EARLY, until=MIDDLE),)}), 8),
        (Reference(patterns={("*", "X.."): Pattern("X..", 2, gas(0))}), 3),
        (Reference(patterns={("*", "NG.."): Pattern("NG..", 9, gas(0))}), 8),
        (Reference(limits={("A",) * 5: (PriceLimit(floor=decimal("1")),)}), 8),
        (Reference(instrument_aliases={"HENRY": "NG_HH"}), 8),
        (Reference(location_aliases={("MISO", "TX"): "TEXAS.HUB"}), 8),
        (Reference(markets={"MISO": MarketRegion("", 0)}), 8),
        (Reference(regions={"us": Region("United States")}), 3),
        (Reference(feeds={("X", "lmp", ""): FEED}), 3),
    ],
    ids=[
        "an instrument arrives",
        "says something else",
        "says it in two periods",
        "speaks of less, under its own version",
        "speaks of less",
        "a pattern arrives",
        "a pattern moves",
        "a limit",
        "an alias",
        "an alias of a location",
        "a market",
        "a region",
        "a feed",
    ],
)
def test_the_floor_rises_where_no_version_tells_of_all_rows_that_change(given: Reference, floor: int) -> None:
    held = Reference(
        entries={NG: (gas(7, since=EARLY, until=LATE),)},
        patterns={("*", "NG.."): Pattern("NG..", 1, gas(2))},
        load=4,
        floor=3,
    )
    store = Held(held)
    LoadReference(store).apply(LoadReference(store).plan(given))
    assert store.floor == floor


def test_the_floor_rises_when_something_is_taken_back() -> None:
    held = Reference(entries={NG: (gas(7),), ("*", "OLD"): (gas(1),)}, load=1)
    found = LoadReference(Held(held)).plan(Reference(entries={NG: (gas(7),)}), prune=True)
    assert found.floor == 8


def test_the_first_load_leaves_the_floor_where_it_is() -> None:
    given = Reference(entries={NG: (gas(7),)}, instrument_aliases={"HENRY": "NG_HH"})
    assert LoadReference(Held()).plan(given).floor == 0


def test_a_version_is_above_the_floor() -> None:
    held = Reference(entries={NG: (gas(4),)}, load=2, floor=6)
    (change,) = LoadReference(Held(held)).plan(Reference(entries={("*", "NEW"): (gas(0),)})).changes
    assert change.after[0].version == 7


def test_an_empty_plan_writes_nothing() -> None:
    store = Held()
    LoadReference(store).apply(Plan([], 0, 0))
    assert store.written == []


STARTER = Reference(regions={"us": Region("United States")})


def test_the_starter_set_is_loaded_where_nothing_ever_was() -> None:
    store = Held()

    assert LoadStarterSet(LoadReference(store), lambda: STARTER)() == 1
    ((changes, load),) = store.written
    assert ([change.key for change in changes], load) == (["us"], 0)


@pytest.mark.parametrize("store", [Held(Reference(load=1)), Held(overtaken=True)], ids=["loaded before", "overtaken"])
def test_the_starter_set_replaces_nothing(store: Held) -> None:
    assert LoadStarterSet(LoadReference(store), lambda: STARTER)() == 0
    assert store.written == []


def test_without_reference_data_nothing_goes_on() -> None:
    RequireReference(Held(Reference(load=1)))()
    with pytest.raises(SchemaBehind, match="run `dataproc migrate up`"):
        RequireReference(Held())()
