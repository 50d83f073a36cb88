"""Every port of the product, each call of which may go wrong in any way the port's law allows."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import polars as pl

from adapters.memory.event_log import MemoryConsumer, MemoryEventLog
from application.ports.errors import LogUnavailable, Retryable, RowsRefused, StoreUnavailable
from application.ports.event_log import Listener, Polled, Progress, TopicPartition
from domain.batch import Batch

Asks = Callable[..., Any]
"""`World.call` for one process: (what, kind, act, half, error)."""


@attrs.frozen
class Readable:
    """A port of which some methods are asked through the world; the others are answered at once."""

    inner: Any
    name: str
    asks: Asks
    methods: frozenset[str]
    heard: Callable[[str, tuple[Any, ...], Any], None]
    """Told of each answer, as its process has it."""

    def __getattr__(self, method: str) -> Any:
        found = getattr(self.inner, method)
        return partial(self._asked, method, found) if method in self.methods else found

    def _asked(self, method: str, found: Callable[..., Any], *args: Any) -> Any:
        answer = self.asks(f"{self.name}.{method}", "read", partial(found, *args), None, StoreUnavailable)
        self.heard(f"{self.name}.{method}", args, answer)
        return answer


@attrs.frozen
class Writable:
    """A table a loop writes to. Whoever watches is told of what really arrives."""

    inner: Any
    name: str
    asks: Asks
    watch: Callable[[str, Any], None]
    decides: Callable[[str, Any], None]
    """Told of what its process wants to write, whatever arrives."""
    unheld: pl.Expr | None = None
    """Which rows it can't hold."""

    def upsert(self, rows: Any) -> None:
        """Write the rows, half of them, twice, later or not at all."""
        self.decides(self.name, rows)
        half = type(rows)(rows.frame.head((len(rows) + 1) // 2))
        self.asks(
            f"{self.name}.upsert {len(rows)}",
            "store",
            partial(self._write, rows),
            partial(self._write, half),
            StoreUnavailable,
        )
        refused = None if self.unheld is None else rows.frame.filter(self.unheld)
        if refused is not None and refused.height:
            raise RowsRefused(self.name, refused, ["no table holds it"] * refused.height)

    def _write(self, rows: Any) -> None:
        held = rows if self.unheld is None else type(rows)(rows.frame.filter(~self.unheld))
        self.inner.upsert(held)
        self.watch(self.name, held)


@attrs.frozen
class Epoch:
    """The logic epoch: read and marked through the world."""

    inner: Any
    asks: Asks

    def highest(self) -> int:
        """Read it."""
        return int(self.asks("epoch.highest", "read", self.inner.highest, None, StoreUnavailable))

    def mark(self, epoch: int) -> None:
        """Mark it."""
        self.asks("epoch.mark", "read", partial(self.inner.mark, epoch), None, StoreUnavailable)


@attrs.define(eq=False)
class Member:
    """A consumer whose group may shut it out or deal its partitions to others while it isn't looking."""

    inner: MemoryConsumer
    asks: Asks
    group_changed: Callable[[], None]
    commits: Callable[[Mapping[TopicPartition, Progress], bool], None]
    """Told of what is about to be committed, and whether something was left out that others own by now."""
    admits: Callable[[], None]
    """Called when it finds itself shut out, before it joins again."""
    polled: Callable[[Polled], None]
    """Told of what it has read."""
    lost: set[TopicPartition] = attrs.field(factory=set)
    """What was dealt to others since it last looked, even where it has come back."""
    taking: set[TopicPartition] = attrs.field(factory=set)
    changed: bool = True
    """Whether the group changed since it last looked."""
    took: int = 0
    """Records of the last poll."""

    def poll(self, max_records: int, timeout_s: float) -> Polled:
        """Poll, having learnt first what was lost."""
        polled: Polled = self.asks("poll", "poll", partial(self._poll, max_records, timeout_s), None, LogUnavailable)
        self.took = len(polled)
        self.polled(polled)
        return polled

    def commit(self, come: Mapping[TopicPartition, Progress]) -> None:
        """Commit what is still its own."""
        self.asks("commit", "commit", partial(self._commit, come), None, LogUnavailable)

    def stay(self) -> None:
        """A member that only waits for a store goes on being one."""

    def close(self) -> None:
        """Leave."""
        self.inner.close()
        self.group_changed()

    def look_again(self) -> None:
        """The group has changed: note what isn't this member's any more."""
        self.changed = True
        self.lost |= (self.inner._positions.keys() | self.taking) - self.inner._share()

    def unread(self) -> bool:
        """Whether a poll would bring something, or news of the group."""
        log = self.inner.log
        return self.changed or any(log.end(where) > at for where, at in self.inner._positions.items())

    def _poll(self, max_records: int, timeout_s: float) -> Polled:
        members = self.inner.group.members
        if self.inner not in members:
            self.inner.poll(0, 0)
            self.admits()
            members.append(self.inner)
            self.group_changed()
        elif self.lost & self.inner._share():
            # What came back meanwhile must be let go and taken over anew, for somebody else has worked on it.
            at = members.index(self.inner)
            members.pop(at)
            self.inner.poll(0, 0)
            members.insert(at, self.inner)
        self.lost.clear()
        self.changed = False
        self.taking = self.inner._share()
        try:
            return self.inner.poll(max_records, timeout_s)
        except Retryable:
            self.changed = True
            raise
        finally:
            self.taking = set()

    def _commit(self, come: Mapping[TopicPartition, Progress]) -> None:
        mine = self.inner._positions.keys() & self.inner._share()
        own = {where: progress for where, progress in come.items() if where in mine and where not in self.lost}
        self.commits(own, len(own) < len(come))
        self.inner.commit(own)


@attrs.frozen
class Log:
    """The event log of one process."""

    inner: MemoryEventLog
    asks: Asks
    watch: Callable[[str, Batch[Any]], None]
    told: Callable[[str, Batch[Any]], None]
    """Told of what its process takes for announced."""
    joins: Callable[[MemoryConsumer], Member]

    def publish(self, topic: str, facts: Batch[Any]) -> None:
        """Announce the facts, half of them, twice, later or not at all."""
        half = type(facts)(facts.frame.head((len(facts) + 1) // 2))
        self.asks(
            f"publish {topic} {len(facts)}",
            "publish",
            partial(self._append, topic, facts),
            partial(self._append, topic, half),
            LogUnavailable,
        )
        self.told(topic, facts)

    def end_offsets(self, topics: Sequence[str]) -> Mapping[TopicPartition, int]:
        """Where the topics end."""
        found = self.asks("log.end_offsets", "read", partial(self.inner.end_offsets, topics), None, LogUnavailable)
        return dict(found)

    def subscribe(self, group: str, topics: Sequence[str], listener: Listener) -> Member:
        """Join a group."""
        return self.joins(self.inner.subscribe(group, topics, listener))

    def _append(self, topic: str, facts: Batch[Any]) -> None:
        self.inner.publish(topic, facts)
        self.watch(topic, facts)
