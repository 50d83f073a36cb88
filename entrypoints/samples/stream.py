"""Everything the sample markets send, in order of arrival, with what polling connectors add: repeats, corrections, late and broken messages."""

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count, islice
from random import Random

import attrs

from entrypoints.samples import feeds
from entrypoints.samples.feeds import Statement
from entrypoints.samples.messages import SampleMessage, micros
from entrypoints.samples.oddities import ODDITIES, Oddity, spoiled


@attrs.frozen(kw_only=True)
class Chances:
    """How often, as shares of all statements, upstream does what it does."""

    repeat: float = 0.10
    """The same point again, known later."""
    correction: float = 0.012
    """The same point with another price."""
    late: float = 0.01
    """First heard of long after its window closed."""
    broken: float = 0.006
    """Replaced by one of the oddities, each in its turn."""


def sample_messages(seed: int, start: datetime, chances: Chances | None = None) -> Iterator[SampleMessage]:
    """
    This will yield, without end, what all sample markets send from `start` on, in order of arrival.

    Args:
        seed: Names the run; the same seed and start yield the same messages.
        start: Instant of the first trades, with its zone.
        chances: How much goes wrong; the usual amount by default.
    """
    sources = [
        feeds.miso_day_ahead(start, Random(f"{seed} miso da")),
        feeds.caiso_day_ahead(start, Random(f"{seed} caiso dam")),
        feeds.miso_real_time(start, Random(f"{seed} miso rt")),
        feeds.caiso_fifteen_minutes(start, Random(f"{seed} caiso rtpd")),
        *(feeds.trades(contract, start, Random(f"{seed} {contract.symbol}")) for contract in feeds.contracts(start)),
    ]
    return disturbed(
        heapq.merge(*sources, key=lambda statement: statement.due), Random(f"{seed} chance"), chances or Chances()
    )


def disturbed(statements: Iterator[Statement], chance: Random, chances: Chances) -> Iterator[SampleMessage]:
    """This will send statements as connectors do: some again, some corrected, some late, some broken."""
    order = count()
    waiting: list[tuple[datetime, int, Statement]] = []
    oddities = _in_turn(chance)
    for statement in statements:
        while waiting and waiting[0][0] <= statement.due:
            yield heapq.heappop(waiting)[2].message()
        for later in _afterwards(statement, chance, chances):
            heapq.heappush(waiting, (later.due, next(order), later))
        if chance.random() < chances.broken:
            yield spoiled(statement.message(), next(oddities))
        elif chance.random() < chances.late:
            late = attrs.evolve(statement, due=statement.due + timedelta(minutes=chance.randint(15, 150)))
            heapq.heappush(waiting, (late.due, next(order), late))
        else:
            yield statement.message()


def _afterwards(statement: Statement, chance: Random, chances: Chances) -> Iterator[Statement]:
    due = statement.due + timedelta(seconds=chance.randint(20, 3600))
    if chance.random() < chances.repeat:
        yield attrs.evolve(statement, due=due)
    if chance.random() < chances.correction:
        yield attrs.evolve(statement, due=due + timedelta(minutes=1), price=_corrected(statement.price, chance))


def _corrected(price: str, chance: Random) -> str:
    decimals = len(price.partition(".")[2])
    return f"{float(price) * chance.uniform(0.97, 1.03) + 0.01:.{decimals}f}"


def _in_turn(chance: Random) -> Iterator[Oddity]:
    while True:
        yield from chance.sample(ODDITIES, len(ODDITIES))


@attrs.define
class SampleFeed:
    """The sample as a connector sees it: ask now and then for what has arrived since."""

    _messages: Iterator[SampleMessage]
    _next: SampleMessage | None = None

    @classmethod
    def since(cls, start: datetime, seed: int = 254) -> "SampleFeed":
        """A feed whose history begins at `start`."""
        return cls(sample_messages(seed, start))

    def due(self, now: datetime, at_most: int) -> list[SampleMessage]:
        """This will return the next messages that have arrived by `now`, in order of arrival; none where none has."""
        return list(islice(iter(lambda: self._take(micros(now) // 1000), None), at_most))

    def _take(self, now_ms: int) -> SampleMessage | None:
        upcoming = self._next or next(self._messages)
        if upcoming.timestamp_ms > now_ms:
            self._next = upcoming
            return None
        self._next = None
        return upcoming
