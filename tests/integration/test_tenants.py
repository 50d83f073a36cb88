"""
Tenants never meet: what one has is the same whether or not another, marked, says other things of the same instruments.

Source: faults.md §1, I13.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain

import attrs
import polars as pl
import pytest
from dependency_injector import providers

from application import topics
from application.ports.event_log import Listener, Records
from domain.bronze.raw_event import RawEvents
from domain.gold.taxonomy import InstrumentKey
from entrypoints.container import Container
from entrypoints.refinery import Refinery
from entrypoints.settings import Settings
from tests.builders import TEN, at, envelope, micros
from tests.performing import StandingClock

OURS, THEIRS, MARK = "acme", "rival", "7654321"
HUB = "MISO.LMP.RT.INDIANA.HUB"
INTERVALS = ("5m", "1h", "1d")
WRITTEN = (
    topics.NORMALIZED, topics.ENRICHED, *map(topics.bars, INTERVALS), topics.LATEST, topics.RECOMPUTE,
    topics.dead_letters("normalization"),
)  # fmt: skip


def said(tenant_id: str, label: str, price: str, known: str) -> bytes:
    """What a tenant's connector says of the hub, whose 5 minutes end at this EST label."""
    payload = {"market": "miso", "data_type": "lmp", "market_run": "RT", "node": "INDIANA.HUB"}
    payload |= {"timestamp": f"2026-10-05T{label}:00", "lmp_usd_per_mwh": price}
    return json.dumps(envelope(payload, tenant_id=tenant_id, ingested_at=micros(at(known)))).encode()


OUR_WORDS = (
    ("05:05", "31.25", "10:06"),
    ("05:10", "32.5", "10:11"),
    ("06:05", "-1.5", "11:06"),
    ("05:10", "33", "11:07"),
    ("05:35", "nonsense", "11:08"),
    ("06:05", "-1.5", "11:09"),
)
THEIR_WORDS = (
    ("05:05", f"{MARK}.1", "10:07"),
    ("05:10", f"{MARK}.2", "23:50"),
    ("23:55", f"{MARK}.3", "2026-10-06T06:00"),
    ("04:05", f"{MARK}.4", "10:09"),
    ("06:05", f"{MARK}nonsense", "10:09"),
    ("06:05", f"{MARK}.5", "12:00"),
)


def batches(*, together: bool) -> Iterator[RawEvents]:
    """Their words and ours, in turn, on one partition; ours at the same offsets where theirs are left out."""
    for number, (ours, theirs) in enumerate(zip(OUR_WORDS, THEIR_WORDS, strict=True)):
        spoken = [(2 * number, said(THEIRS, *theirs))] if together else []
        offsets, values = zip(*spoken, (2 * number + 1, said(OURS, *ours)), strict=True)
        yield RawEvents(
            topics=[topics.raw("miso")] * len(values),
            partitions=[0] * len(values),
            offsets=offsets,
            timestamps_us=[micros(TEN + timedelta(hours=3))] * len(values),
            values=values,
        )


@attrs.frozen
class Ended:
    """Everything that is there after a run."""

    rows: dict[str, pl.DataFrame]
    """By table or topic."""
    metrics: list[str]
    container: Container


def run(*, together: bool) -> Ended:
    """The whole flow, over the wire's JSON, each pair of messages by itself."""
    container = Container(settings=Settings.from_environment({"DATA_PROC_WIRE_BETWEEN_STAGES": "true"}))
    clock = StandingClock()
    container.clock.override(providers.Object(clock))
    log = container.log()
    log.retain = True
    stages = (container.normalize, container.enrich, container.aggregate, container.project)
    refinery = Refinery([container.loop(stage=stage(), group=stage().name) for stage in stages], 1000)
    refinery.start()
    onlooker = log.subscribe("onlooker", WRITTEN, Listener(lambda _: None, lambda _: None))
    for events in batches(together=together):
        log.append(events)
        refinery.drain()
        clock.sleep(2)
    refinery.finish()
    tables = {name: table.final() for name, table in container.tables().by_name.items() if hasattr(table, "final")}
    polled = chain.from_iterable(iter(lambda: onlooker.poll(1000, 0).records, ()))
    told = {name: pl.concat(records.facts.frame for records in of) for name, of in by_topic(polled).items()}
    assert set(told) == set(WRITTEN)
    return Ended(tables | told, container.meter().exposition().decode().splitlines(), container)


def by_topic(polled: Iterable[Records]) -> dict[str, list[Records]]:
    """Records by their topic."""
    found: dict[str, list[Records]] = {}
    for records in polled:
        found.setdefault(records.topic, []).append(records)
    return found


@pytest.fixture(scope="module")
def beside() -> Ended:
    """Ours with the others beside us."""
    return run(together=True)


@pytest.fixture(scope="module")
def alone() -> Ended:
    """Ours alone."""
    return run(together=False)


def our_rows(rows: pl.DataFrame) -> pl.DataFrame:
    if "tenant_id" in rows.columns:
        return rows.filter(pl.col("tenant_id") == OURS)
    return rows.filter(pl.col("offset") % 2 == 1) if "offset" in rows.columns else rows.clear()


def test_what_we_have_is_the_same_without_them(alone: Ended, beside: Ended) -> None:
    assert alone.rows.keys() == beside.rows.keys()
    for name, rows in alone.rows.items():
        ours = our_rows(rows)
        assert our_rows(beside.rows[name]).sort(ours.columns).equals(ours.sort(ours.columns)), name


def test_no_row_or_event_of_ours_bears_their_mark(beside: Ended) -> None:
    marked = 0
    for name, rows in beside.rows.items():
        assert MARK not in str(our_rows(rows).rows()), name
        marked += MARK in str(rows.rows())
    assert marked > len(INTERVALS)


def test_a_price_is_served_to_whose_it_is(beside: Ended) -> None:
    find = beside.container.latest_prices()
    ours, theirs = (find(InstrumentKey(tenant, HUB)) for tenant in (OURS, THEIRS))
    assert ours
    assert theirs
    assert (str(ours.price), str(theirs.price)) == ("-1.50000000", f"{MARK}.30000000")
    assert find(InstrumentKey("nobody", HUB)) is None


def test_both_are_read_by_one_owner(beside: Ended) -> None:
    ours, theirs = beside.container.feeds()()
    assert (ours.tenant_id, theirs.tenant_id) == (OURS, THEIRS)
    assert ours.partition == theirs.partition
    assert ours.watermark
    assert theirs.watermark
    assert ours.watermark < theirs.watermark


def test_our_figures_are_the_same_without_them(alone: Ended, beside: Ended) -> None:
    def of_ours(ended: Ended) -> list[str]:
        return [line for line in ended.metrics if f'tenant_id="{OURS}"' in line]

    assert of_ours(beside) == of_ours(alone)
    assert of_ours(alone)
    assert not any(MARK in line for line in beside.metrics)
