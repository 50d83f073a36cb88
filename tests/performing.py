"""Performing what a stage decided, on tables in memory, as the consume loop does: store, announce, keep."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import attrs
import polars as pl

from application.outcome import Outcome, Store
from application.ports.event_log import Polled, Records, TopicPartition
from domain.batch import Batch
from tests.builders import TEN


class Stores(Protocol):
    """Something rows are put into."""

    def upsert(self, rows: Any) -> None: ...


@attrs.define
class Performed:
    """Tables by name, and everything announced so far."""

    tables: Mapping[str, Stores] = attrs.field(factory=dict)
    heard: list[tuple[str, Batch[Any]]] = attrs.field(factory=list)

    def perform(self, outcome: Outcome) -> None:
        """Store, announce, conclude, keep."""
        self._store(outcome.store)
        self.heard.extend((announce.topic, announce.facts) for announce in outcome.announce)
        self._store(outcome.conclude)
        outcome.kept()

    def _store(self, stores: Iterable[Store]) -> None:
        for store in stores:
            self.tables[store.table].upsert(store.rows)

    def facts(self) -> list[Any]:
        """Everything announced, fact by fact."""
        return [fact for _, batch in self.heard for fact in batch.facts()]


def polled(topic: str, *batches: Batch[Any]) -> Polled:
    """One poll of partition 0 that brought these batches."""
    records = tuple(
        Records(
            topic,
            pl.repeat(0, len(batch), dtype=pl.Int32, eager=True),
            pl.int_range(len(batch), dtype=pl.Int64, eager=True),
            batch,
        )
        for batch in batches
    )
    return Polled(records=records, next_offsets={TopicPartition(topic, 0): sum(map(len, batches))})


@attrs.define
class StandingClock:
    """A clock that a test moves."""

    seconds: float = 0.0

    def now(self) -> datetime:
        """Ten o'clock, always."""
        return TEN

    def monotonic_s(self) -> float:
        """What the test says."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.seconds += seconds


@attrs.define
class Tally:
    """A meter that adds up."""

    figures: dict[str, float] = attrs.field(factory=dict)

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Adds."""
        self.figures[name] = self.figures.get(name, 0) + amount

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Keeps the last."""
        self.figures[name] = value

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Keeps the last."""
        self.figures[name] = value

    def forget(self, name: str, **labels: str) -> None:
        """Keeps it no more."""
        self.figures.pop(name, None)
