"""What may go wrong in one world: each seed draws which faults are on, how often they strike, and how everything is set."""

from collections.abc import Mapping
from random import Random

import attrs

FAULTS = (
    "refused",
    "unanswered",
    "partial",
    "lands late",
    "twice",
    "crash before",
    "crash after",
    "pause before",
    "pause after",
    "rebalance",
    "delay",
)
"""
What may become of a call: it fails before it does anything; it is done and fails all the same; half of it is done; it
fails and is done a while later; it is done twice; its process dies before or after it; its process stands still before
or after it while others take over; its group's partitions move; it takes a while.
"""

STAGES = ("normalization", "enrichment", "aggregation", "projection")
STATEMENTS = ("repeat", "correction", "back", "late", "twin", "future", "day ahead", "broken", "tombstone", "filter")
"""What may be said besides fresh ticks: the same again; another price; the former price again; of long ago; by another
source for the same instant; of an instant too far ahead; of tomorrow; nonsense; nothing; no price on purpose."""

LONG = 1 / 6
"""Share of long worlds."""
FEWEST = 4
"""Messages of a short one, at least."""


@attrs.frozen(kw_only=True)
class Swarm:
    """The settings of one world."""

    faults: Mapping[str, float]
    """Chance of each fault at each call it can strike."""
    most_faults: int
    """Faults that do harm to one stage; then they end, so that a world does."""
    struck: tuple[str, ...]
    """Stages that faults strike."""
    statements: Mapping[str, float]
    """Weight of each kind of statement beside fresh ticks, whose weight is 1."""
    messages: int
    bunch: int
    """At most so many messages are appended at once."""
    gap_s: float
    """Mean time between bunches."""
    series: int
    """Instruments ticks speak of, at most four."""
    recall: int
    """What is said again, or otherwise, was said among the last so many ticks."""
    minutes: float
    """Mean progress of event time from one statement to the next."""
    intervals: tuple[str, ...]
    raw_partitions: int
    partitions: int
    """Of everything keyed by series."""
    instances: Mapping[str, int]
    batch: int
    interleaving: float
    """Chance that another process runs before a call."""
    lateness_s: tuple[float, ...]
    """Allowed lateness a process may start with; another at each start."""
    adapts: bool
    """Whether some processes allow their feeds what their policies and what is observed say instead."""
    idle_s: tuple[float, ...]
    open_ticks: int
    replay: int
    """Limits of open windows: ticks, and records behind the position."""
    recomputed_at_once: int
    """Windows computed anew in one turn at most."""
    read_at_once: int
    """Stored ticks that a recompute reads at most at a time."""
    provisional_every_s: float
    remembered: int
    upgrade: bool
    """Whether processes of a higher logic epoch replace the others."""
    backfills: int
    """Requests of an operator to compute windows anew."""
    disorder: float
    """Share of statements that arrive out of order."""
    catalog_away_s: float
    """How long the catalog can't be asked, once; 0 where it always can."""
    edges: bool
    """Whether much is said of the first and last second of windows, and of prices at their limits."""
    late_minutes: tuple[int, int]
    """How long ago is what late ticks speak of, at least and at most."""
    ties: bool
    """Whether statements may be equally new: what is said of an instant again is often known at the same microsecond."""
    picky: bool
    """Whether there are ticks that silver can't hold."""
    deadly: bool
    """Whether there are messages that end the process that reads them."""
    moves: int
    """How often the partitions of a struck stage are dealt anew between calls, as when a member joins or leaves."""

    @classmethod
    def of(cls, seed: int) -> "Swarm":
        """Draw the settings of a seed."""
        chance = Random(f"swarm {seed}")
        on = chance.choice((0.15, 0.4, 0.8))
        faults = {name: chance.choice((0.01, 0.03, 0.08)) if chance.random() < on else 0.0 for name in FAULTS}
        statements = {name: chance.choice((0.1, 0.3, 0.8)) if chance.random() < 0.6 else 0.0 for name in STATEMENTS}
        drawn = cls(
            faults=faults,
            most_faults=chance.choice((1, 3, 6)),
            struck=chance.choice((STAGES, STAGES, *((name,) for name in STAGES))),
            statements=statements,
            messages=chance.randint(10, 30),
            bunch=chance.choice((6, 15, 30)),
            gap_s=chance.choice((2.0, 10.0, 40.0)),
            series=chance.choice((1, 2, 4)),
            recall=chance.choice((4, 30)),
            minutes=chance.choice((0.5, 1.5, 4.0)),
            intervals=chance.choice((("5m",), ("5m", "1h"), ("5m", "1h"), ("5m", "1h", "1d"))),
            raw_partitions=chance.choice((1, 2, 3)),
            partitions=chance.choice((1, 2, 2, 3)),
            instances={
                "normalization": chance.choice((1, 1, 2)),
                "enrichment": chance.choice((1, 1, 2)),
                "aggregation": chance.choice((1, 2, 2, 3)),
                "projection": chance.choice((1, 1, 2)),
            },
            batch=chance.choice((6, 20, 1000)),
            interleaving=chance.choice((0.0, 0.1, 0.4)),
            lateness_s=chance.choice(((0.0,), (0.0, 600.0), (300.0,), (60.0, 1200.0, 3600.0))),
            adapts=Random(f"adapts {seed}").random() < 0.3,
            idle_s=chance.choice(((30.0,), (60.0,), (30.0, 300.0))),
            open_ticks=chance.choice((3, 1000, 1000)),
            replay=chance.choice((10, 1000, 1000)),
            recomputed_at_once=chance.choice((1, 1000, 1000)),
            read_at_once=Random(f"slices {seed}").choice((1, 3, 1000)),
            provisional_every_s=chance.choice((1.0, 20.0, 20.0)),
            remembered=chance.choice((4, 1000)),
            upgrade=chance.random() < 0.2,
            backfills=chance.choice((0, 0, 2)),
            disorder=chance.choice((0.0, 0.2, 0.5)),
            catalog_away_s=Random(f"catalog {seed}").choice((0.0, 0.0, 0.0, 0.0, 0.0, 200.0)),
            edges=Random(f"edges {seed}").random() < 0.3,
            late_minutes=Random(f"late {seed}").choice(((5, 120), (5, 120), (6, 12))),
            ties=Random(f"ties {seed}").random() < 0.25,
            picky=Random(f"picky {seed}").random() < 0.2,
            deadly=False,
            moves=chance.choice((0, 0, 10)),
        )
        return drawn.deadlier() if Random(f"deadly {seed}").random() < 0.3 else drawn

    @classmethod
    def mostly_short(cls, seed: int) -> "Swarm":
        """The same, with a third of the messages in most worlds, which finds as much for its time."""
        drawn = cls.of(seed)
        if Random(f"long {seed}").random() < LONG:
            return drawn
        return attrs.evolve(drawn, messages=max(FEWEST, drawn.messages // 3))

    def deadlier(self) -> "Swarm":
        """The same with messages that end their process, where nothing else ends it: else others might be blamed."""
        if "normalization" in self.struck:
            return self
        return attrs.evolve(self, deadly=True, instances={**self.instances, "normalization": 1})
