"""The normalization stage: what it decides about raw messages, and when its memory changes."""

from collections.abc import Sequence
from typing import Any

import attrs
import polars as pl
import pytest

from adapters.memory.policies import MemoryPolicies
from application import topics
from application.outcome import Outcome
from application.ports.event_log import Polled, TopicPartition
from application.stage import Share
from application.stages.normalize import NormalizeTicks
from domain.batch import Batch
from domain.bronze.raw_event import Decoded, RawEvents, RawPrice, Refusal, Refusals
from tests.builders import TEN, micros, raw_events, raw_price, raw_prices
from tests.performing import StandingClock

MISO = topics.raw("miso")
HERE = TopicPartition(MISO, 0)


@attrs.define
class Script:
    """A decoder that reads of each message what the script says of its text."""

    lines: dict[bytes, RawPrice | Refusal | str]

    def decode(self, events: RawEvents) -> Decoded:
        said = [(event, self.lines[value or b""]) for event, value in enumerate(events.values)]
        return Decoded(
            prices=raw_prices(*(attrs.evolve(it, event=event) for event, it in said if isinstance(it, RawPrice))),
            refusals=Refusals.of(attrs.evolve(it, event=event) for event, it in said if isinstance(it, Refusal)),
            filtered=[(event, it) for event, it in said if isinstance(it, str)],
        )


@attrs.define
class Tally:
    """A meter that keeps what it was told."""

    told: dict[tuple[str, ...], float] = attrs.field(factory=dict)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        key = (name, *labels.values())
        self.told[key] = self.told.get(key, 0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        self.count(name, value, **labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self.count(name, value, **labels)

    def forget(self, name: str, **labels: str) -> None:
        del self.told[(name, *labels.values())]


def price(known_after_s: int = 0, **fields: Any) -> RawPrice:
    return raw_price(**{"ingested_at": str(micros(TEN) + known_after_s * 1_000_000), **fields})


LINES: dict[bytes, RawPrice | Refusal | str] = {
    b"first": price(),
    b"again": price(60),
    b"corrected": price(120, price="32"),
    b"older": price(-60, price="30"),
    b"other": price(name="MISO.LMP.RT.MICHIGAN.HUB", symbol="MICHIGAN.HUB", tenant_id="tenant-1"),
    b"unpriced": price(price=""),
    b"broken": Refusal(event=0, index=-1, reason="NOT_JSON", field="", message="not JSON"),
    b"outage": "NOT_A_PRICE",
}


def stage(**fields: Any) -> NormalizeTicks:
    return NormalizeTicks(Script(LINES), MemoryPolicies.from_files(), StandingClock(), Tally(), **fields)


def polled(*values: bytes, first_offset: int = 0) -> Polled:
    offsets = list(range(first_offset, first_offset + len(values)))
    events = attrs.evolve(raw_events(*values, topic=MISO), offsets=offsets)
    return Polled(raw=events, next_offsets={HERE: first_offset + len(values)})


def kept(normalize: NormalizeTicks, *values: bytes, first_offset: int = 0) -> Outcome:
    outcome = normalize.run(polled(*values, first_offset=first_offset))
    outcome.kept()
    return outcome


def stored(outcome: Outcome, table: str = "silver_ticks") -> Batch[Any]:
    return next(store.rows for store in outcome.store if store.table == table)


def prices(outcome: Outcome) -> list[str]:
    return [str(value.normalize()) for value in stored(outcome).frame["price"]]


def test_reads_every_raw_topic() -> None:
    assert (stage().name, stage().consumes) == ("normalization", topics.RAW)


def test_stores_what_it_announces_and_commits_what_it_read() -> None:
    outcome = stage().run(polled(b"first", b"other"))
    assert prices(outcome) == ["31.25", "31.25"]
    assert [(announce.topic, announce.facts) for announce in outcome.announce] == [(topics.NORMALIZED, stored(outcome))]
    assert (outcome.refused, dict(outcome.commit), outcome.then) == (None, {HERE: 2}, None)


def test_without_raw_messages_there_is_nothing_to_decide() -> None:
    assert stage().run(Polled(next_offsets={HERE: 3})) == Outcome(commit={HERE: 3})
    assert stage().finish() == Outcome()


def test_refuses_messages_and_rows_with_their_coordinates_and_bytes() -> None:
    refused = stage(service_version="1.2.3").run(polled(b"first", b"broken", b"unpriced", first_offset=7)).refused
    assert refused is not None
    assert refused.frame.select("stage", "reason", "topic", "offset", "row_index", "raw", "service_version").rows() == [
        ("normalization", "NOT_JSON", MISO, 8, -1, b"broken", "1.2.3"),
        ("normalization", "MISSING_PRICE", MISO, 9, 0, b"unpriced", "1.2.3"),
    ]
    assert refused.frame["first_failed_at"].to_list() == [TEN, TEN]


def test_a_batch_of_nothing_but_refusals_stores_no_ticks() -> None:
    assert prices(stage().run(polled(b"broken", b"outage"))) == []


def test_a_repeat_is_stored_and_announced_like_any_tick() -> None:
    normalize = stage()
    kept(normalize, b"first")
    assert prices(kept(normalize, b"again", first_offset=1)) == ["31.25"]


def test_drops_what_it_has_announced_at_that_version_or_a_higher_one() -> None:
    normalize = stage()
    kept(normalize, b"first")
    assert prices(kept(normalize, b"first", b"older", b"corrected")) == ["32"]


def test_what_silver_can_not_hold_hides_nothing_older() -> None:
    normalize = stage()
    outcome = kept(normalize, b"first", b"other")
    (silver,) = [store for store in outcome.store if store.table == "silver_ticks"]
    silver.lost(silver.rows.frame.filter(pl.col("symbol") == "INDIANA.HUB").drop("series"))
    assert prices(kept(normalize, b"older", b"other")) == ["3E+1"]


def test_drops_nothing_that_was_not_kept() -> None:
    normalize = stage()
    normalize.run(polled(b"first"))
    assert prices(normalize.run(polled(b"first"))) == ["31.25"]
    assert normalize.meter == Tally()


@pytest.mark.parametrize("moved", ["assigned", "revoked"])
def test_forgets_what_it_announced_when_partitions_move(moved: str) -> None:
    normalize = stage()
    kept(normalize, b"first")
    if moved == "assigned":
        normalize.assigned({HERE: Share(1)})
    else:
        normalize.revoked([HERE])
    assert prices(normalize.run(polled(b"first"))) == ["31.25"]


def test_of_two_contents_at_one_version_the_greater_is_announced_last() -> None:
    lines: dict[bytes, RawPrice | Refusal | str] = {text: price(price=text.decode()) for text in (b"1", b"2")}

    def announced(*values: bytes) -> list[str]:
        normalize = attrs.evolve(stage(), decoder=Script(lines))
        return [told for value in values for told in prices(kept(normalize, value))]

    one_way, other_way = announced(b"1", b"2", b"1", b"2"), announced(b"2", b"1", b"2", b"1")
    assert one_way[-1] == other_way[-1]
    assert sorted([len(one_way), len(other_way)]) == [1, 2]


def test_records_outcomes_when_a_load_asks_for_it() -> None:
    outcome = stage(record_outcomes=True).run(polled(b"first", b"outage", b"unpriced"))
    assert stored(outcome, "outcomes").frame.select("offset", "outcome", "reason", "ticks", "rejected_rows").rows() == [
        (0, "accepted", "", 1, 0),
        (1, "filtered", "NOT_A_PRICE", 0, 0),
        (2, "dead_letter", "MISSING_PRICE", 0, 1),
    ]


def test_records_no_outcomes_otherwise() -> None:
    assert [store.table for store in stage().run(polled(b"first")).store] == ["silver_ticks"]


EVERYTHING = (b"first", b"again", b"corrected", b"older", b"other", b"unpriced", b"broken", b"outage")


def one_by_one(values: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    return [(value,) for value in values]


@pytest.mark.parametrize("batches", [[EVERYTHING], one_by_one(EVERYTHING), [EVERYTHING[:2], EVERYTHING[2:]]])
def test_measures_what_was_kept_however_messages_are_cut_into_batches(batches: list[tuple[bytes, ...]]) -> None:
    normalize, offset = stage(), 0
    for values in batches:
        kept(normalize, *values, first_offset=offset)
        offset += len(values)
    assert normalize.meter == Tally(
        {
            ("normalization_messages_processed_total", "accepted"): 5,
            ("normalization_messages_processed_total", "filtered"): 1,
            ("normalization_messages_processed_total", "dead_letter"): 2,
            ("normalization_records_processed_total", "MISO", "default"): 4,
            ("normalization_records_processed_total", "MISO", "tenant-1"): 1,
            ("normalization_errors_total",): 2,
            ("invalid_records_total",): 1,
            ("normalization_processing_latency_ms",): 0.0,
            ("normalization_processing_duration_seconds",): 0.0,
        }
    )


def test_stamps_ticks_with_the_services_clock() -> None:
    stamped = stored(stage().run(polled(b"first"))).frame["normalized_at"]
    assert stamped.to_list() == pl.Series([TEN]).to_list()
