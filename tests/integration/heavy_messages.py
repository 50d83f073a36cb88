"""
What one message of many rows costs in memory: python -m tests.integration.heavy_messages SHAPE

A process of its own, since a peak can't be taken back. It prints ticks, letters, and MiB above what it had before.
"""

import json
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

from adapters.markets.caiso import MOST_ROWS
from adapters.markets.raw_decoder import MAX_VALUE_BYTES, MarketDecoder
from adapters.memory.policies import MemoryPolicies
from adapters.memory.tables import MemoryLedgerTable
from application.outcome import Outcome
from application.ports.event_log import Polled
from application.stages.normalize import NormalizeTicks
from tests.builders import envelope, raw_events
from tests.performing import StandingClock, Tally
from tests.unit.markets.messages import CAISO, wrapper


def message(rows: list[Any]) -> bytes:
    """A message of CAISO's with these rows, as short as it can be written, and no larger than may be."""
    value = json.dumps(envelope(wrapper(json.dumps(rows, separators=(",", ":")), {})), separators=(",", ":"))
    assert len(value) <= MAX_VALUE_BYTES
    return value.encode()


def priced(node: int) -> dict[str, str]:
    """The least a row must say to be a price."""
    return {
        "NODE": f"N{node:04d}",
        "MARKET_RUN_ID": "DAM",
        "LMP_TYPE": "LMP",
        "MW": "1",
        "INTERVALSTARTTIME_GMT": "2026-10-08T21:00Z",
        "INTERVALENDTIME_GMT": "2026-10-08T22:00Z",
    }


MOST_PRICED = 5_900
"""So many prices are just under 1 MiB."""
SHAPES: Mapping[str, Callable[[], bytes]] = {
    "prices": lambda: message([priced(node) for node in range(MOST_PRICED)]),
    "refused": lambda: message([1] * MOST_ROWS),
    "too many": lambda: message([1] * 520_000),
}


def normalized(value: bytes) -> Outcome:
    """What becomes of a message."""
    stage = NormalizeTicks(
        MarketDecoder(), MemoryPolicies.from_files(), StandingClock(), Tally(), ledger=MemoryLedgerTable()
    )
    return stage.run(Polled(raw=raw_events(value, topic=CAISO)))


def peak_mib() -> float:
    """Most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    normalized(message([priced(0)]))
    heavy, before_mib = SHAPES[sys.argv[1]](), peak_mib()
    outcome = normalized(heavy)
    ticks = sum(len(store.rows) for store in outcome.store if store.table == "silver_ticks")
    letters = len(outcome.refused) if outcome.refused else 0
    print(json.dumps([ticks, letters, peak_mib() - before_mib]))  # noqa: T201 - its answer
