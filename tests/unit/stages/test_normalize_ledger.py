"""The ledger that normalization keeps: each message counted once, however often and however cut it comes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.policies import MemoryPolicies
from adapters.memory.tables import MemoryLedgerTable
from application.outcome import Outcome
from application.ports.event_log import Polled, Unreadable
from application.stage import Share
from application.stages import normalize as module
from application.stages.normalize import NormalizeTicks
from domain.bronze.ledger import FIGURES, Ledger, unbalanced
from domain.bronze.raw_event import Decoded, RawEvents, Refusal, Refusals
from domain.errors import Reason
from tests.builders import TEN, micros
from tests.performing import StandingClock
from tests.unit.stages.test_normalize import HERE, LINES, MISO, Script, Tally, polled

POLICIES = MemoryPolicies.from_files()
LOG = [b"first", b"again", b"corrected", b"older", b"other", b"unpriced", b"broken", b"outage"] * 3


def stage(**fields: Any) -> NormalizeTicks:
    return NormalizeTicks(Script(LINES), POLICIES, StandingClock(), Tally(), **fields)


def figures(ledger: MemoryLedgerTable) -> dict[str, Any]:
    row = ledger.final().row(0, named=True)
    return {name: row[name] for name in (*FIGURES, "counted_to") if name != "corrections"}


def run(normalize: NormalizeTicks, begin: int, end: int) -> Outcome:
    return normalize.run(polled(*LOG[begin:end], first_offset=begin))


def store(ledger: MemoryLedgerTable, outcome: Outcome) -> None:
    for part in outcome.store:
        if part.table == "ledger":
            ledger.upsert(part.rows)  # type: ignore[arg-type]


def counted(begin: int, end: int, normalize: NormalizeTicks, ledger: MemoryLedgerTable) -> None:
    outcome = run(normalize, begin, end)
    store(ledger, outcome)
    outcome.kept()


@pytest.mark.parametrize("ends", [[8], range(1, 9), [2, 8]])
def test_every_message_and_row_is_in_the_ledger(ends: Sequence[int]) -> None:
    ledger = MemoryLedgerTable()
    normalize = stage(ledger=ledger)
    for begin, end in pairwise([0, *ends]):
        counted(begin, end, normalize, ledger)
    assert ledger.final().to_dicts() == [
        {
            "topic": MISO,
            "partition": 0,
            "hour": TEN,
            "messages": 8,
            "accepted": 5,
            "filtered": 1,
            "dead_letter": 2,
            "rows": 6,
            "ticks": 5,
            "rejected_rows": 1,
            "corrections": 1,
            "counted_to": 8,
        }
    ]


def test_what_was_quarantined_is_counted_as_a_dead_letter_and_never_read() -> None:
    ledger = MemoryLedgerTable()
    events = polled(b"deadly", first_offset=4).raw
    assert events is not None
    refused = Refusals.of([Refusal(event=0, index=-1, reason=Reason.QUARANTINE, field="", message="deadly")])
    normalize = stage(ledger=ledger, record_outcomes=True)

    outcome = normalize.run(Polled(next_offsets={HERE: 5}, unreadable=Unreadable(events, refused)))
    store(ledger, outcome)
    outcome.kept()

    assert (figures(ledger)["messages"], figures(ledger)["dead_letter"], figures(ledger)["counted_to"]) == (1, 1, 5)
    (told,) = [part.rows.frame["reason"].to_list() for part in outcome.store if part.table == "outcomes"]
    assert (told, outcome.refused, outcome.commit) == (["QUARANTINE"], None, {HERE: 5})


def test_without_a_ledger_nothing_is_kept_of_it() -> None:
    assert [part.table for part in run(stage(), 0, 8).store] == ["silver_ticks"]


def test_a_batch_that_was_counted_before_stores_nothing_in_the_ledger() -> None:
    ledger = MemoryLedgerTable()
    counted(0, 8, stage(ledger=ledger), ledger)
    assert [part.table for part in run(stage(ledger=ledger), 2, 8).store] == ["silver_ticks"]


def test_what_was_not_stored_is_not_remembered() -> None:
    ledger = MemoryLedgerTable()
    normalize = stage(ledger=ledger)
    run(normalize, 0, 8)
    counted(0, 8, normalize, ledger)
    assert figures(ledger)["messages"] == 8


def test_an_assignment_reads_the_ledger_anew() -> None:
    ledger, elsewhere = MemoryLedgerTable(), MemoryLedgerTable()
    normalize = stage(ledger=ledger)
    counted(0, 4, normalize, ledger)
    normalize.revoked([HERE])
    counted(4, 12, stage(ledger=ledger), ledger)
    normalize.assigned({HERE: Share(12)})
    counted(12, 24, normalize, ledger)
    counted(0, 24, stage(ledger=elsewhere), elsewhere)
    assert figures(ledger) == figures(elsewhere)


def test_hours_beyond_memory_are_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HOURS", 1)
    ledger = MemoryLedgerTable()
    normalize = stage(ledger=ledger)
    for offset in range(8):
        batch = polled(b"first", first_offset=offset)
        assert batch.raw
        hour_later = attrs.evolve(batch.raw, timestamps_us=[micros(TEN) + offset % 2 * 3_600_000_000])
        outcome = normalize.run(attrs.evolve(batch, raw=hour_later))
        store(ledger, outcome)
        outcome.kept()
    assert ledger.final()["messages"].to_list() == [4, 4]


@settings(max_examples=12)
@given(st.data())
def test_however_batches_are_cut_and_come_again_the_ledger_ends_the_same(data: st.DataObject) -> None:
    """Two writers, each with a memory of its own, one of them perhaps a zombie; crashes before and after the store."""
    ledger, undisturbed = MemoryLedgerTable(), MemoryLedgerTable()
    counted(0, len(LOG), stage(ledger=undisturbed), undisturbed)
    writers = [(stage(ledger=ledger), 0)] * 2
    committed = 0
    while committed < len(LOG):
        who = data.draw(st.integers(0, 1), "writer")
        normalize, position = writers[who]
        end = min(position + data.draw(st.integers(1, 7), "batch"), len(LOG))
        outcome = run(normalize, position, end)
        fate = data.draw(st.sampled_from(["done", "done", "lost", "stored only"]), "fate")
        if fate != "lost":
            store(ledger, outcome)
        if fate == "done":
            outcome.kept()
            committed = max(committed, end)
            writers[who] = (normalize, end)
        else:
            writers[who] = (stage(ledger=ledger), committed)
    assert figures(ledger) == figures(undisturbed)


@attrs.define
class Losing(Script):
    """A decoder whose last price gets lost on the way."""

    def decode(self, events: RawEvents) -> Decoded:
        decoded = super().decode(events)
        return attrs.evolve(decoded, filtered=[*decoded.filtered, (0, "NOT_A_PRICE")])


def test_a_message_that_ends_in_two_ways_is_measured() -> None:
    ledger, tally = MemoryLedgerTable(), Tally()
    normalize = attrs.evolve(stage(ledger=ledger), meter=tally, decoder=Losing(LINES))
    counted(0, 1, normalize, ledger)
    assert tally.told["ledger_total", "filtered"] == 1
    assert tally.told["ledger_imbalance_total", "rows"] == 0
    assert len(unbalanced(Ledger(ledger.final()))) == 0
