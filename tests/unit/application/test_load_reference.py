"""Loading reference data: the plan, the changes, and what is refused."""

from collections.abc import Sequence

import attrs
import pytest

from application.commands.load_reference import LoadReference, Plan
from application.ports.reference_store import BadReference, Change, Reference, Region
from domain.gold.catalog import Entry, MarketRegion, Pattern
from domain.gold.limits import PriceLimit
from tests.builders import decimal

NG = ("*", "NG_HH")


@attrs.define
class Held:
    """A store in memory."""

    reference: Reference = attrs.field(factory=Reference)
    written: list[tuple[Sequence[Change], int]] = attrs.field(factory=list)

    def held(self) -> Reference:
        return self.reference

    def write(self, changes: Sequence[Change], load: int) -> None:
        self.written.append((changes, load))


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


def test_an_empty_plan_writes_nothing() -> None:
    store = Held()
    LoadReference(store).apply(Plan([], 0))
    assert store.written == []
