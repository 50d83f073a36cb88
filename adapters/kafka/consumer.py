"""
One member of a consumer group.

Kafka tells of assignments from within a callback. There new partitions are placed at the offset their group committed,
lost ones are let go at once, and both are noted; the next poll tells the listener. What new partitions bring before it
knows of them waits. So a listener that fails is simply told again, and whatever was polled earlier is performed, or left
out of the commit, before its stage hears that a partition is gone.

While a failed call is tried again nothing is polled; `stay` then pauses every partition and lets Kafka's callbacks
through, so that the member keeps its place and its memory does not grow.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, repeat
from typing import Any, Protocol, cast

import attrs
import polars as pl
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPlace

from adapters.kafka import marks
from adapters.kafka.access import KafkaAccess
from adapters.kafka.producing import LARGEST_RECORD
from adapters.kafka.refusals import KAFKA, OUTSIDE_THE_LOG, TELLING, client_of, refusal
from adapters.wire.events import EventCodec, ReadEvents
from application.ports.errors import Fatal, LogUnavailable, PortError, WrongTopics
from application.ports.event_log import Listener, Polled, Progress, Records, TopicPartition, Unreadable
from domain.bronze.raw_event import RawEvents, Refusals

RANGE = "range"
CHUNK = 2_000
"""Records taken from librdkafka at once, so that the byte budget is looked at between."""
_LATEST_MS = (2**63 - 1) // 1000
HARMLESS = frozenset({KafkaError._MAX_POLL_EXCEEDED, KafkaError._PARTITION_EOF})  # noqa: SLF001
"""The member was away too long and joins again with the next poll; a partition is read to its end."""
BROKERS_AWAY = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
    }
)
"""One broker may be away without harm, and not every way of being away ends in `all brokers down`: so ask."""


class Taken(Protocol):
    """A record as librdkafka hands it out, or an error in its place. Times are ms."""

    error: Callable[[], KafkaError | None]
    topic: Callable[[], str]
    partition: Callable[[], int]
    offset: Callable[[], int]
    value: Callable[[], bytes | None]
    timestamp: Callable[[], tuple[int, int]]

    def __len__(self) -> int: ...


@attrs.frozen(kw_only=True)
class Membership:
    """How consumers share partitions."""

    protocol: str = "consumer"
    """`consumer` (Kafka 4 and later: brokers deal the partitions) or `classic` (members do)."""
    instance_id: str = ""
    """A name that outlives the process, so that a restart within the session takes its partitions back unshuffled."""
    session_timeout_s: float = 10.0
    """Silence after which a member counts as gone. Classic protocol; in the other one brokers decide."""
    poll_within_s: float = 300.0
    """A member that neither polls nor stays for so long loses its partitions."""
    budget_bytes: int = 64 * 1024 * 1024
    """Most that one poll returns, and most that waits to be polled; one more chunk may lie above it."""
    quiet_s: float = 5.0
    """Silence after which brokers are asked whether they are there: a broken connection brings nothing, like a quiet topic."""
    gather_s: float = 0.02
    """How long a poll goes on gathering after its first records, so that batches are worth their fixed cost."""

    def config(self, group: str) -> dict[str, Any]:
        """For librdkafka. Equal partition numbers of all topics go to one member: range, in either protocol."""
        by_protocol = (
            {"group.remote.assignor": RANGE}
            if self.protocol == "consumer"
            else {"partition.assignment.strategy": RANGE, "session.timeout.ms": round(self.session_timeout_s * 1000)}
        )
        return {
            "group.id": group,
            "group.protocol": self.protocol,
            **by_protocol,
            **({"group.instance.id": self.instance_id} if self.instance_id else {}),
            "max.poll.interval.ms": round(self.poll_within_s * 1000),
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "check.crcs": True,
            "queued.max.messages.kbytes": self.budget_bytes // 1024,
            "fetch.max.bytes": max(self.budget_bytes // 2, LARGEST_RECORD),
            "message.max.bytes": LARGEST_RECORD,
            "fetch.queue.backoff.ms": 20,  # the default waits a second once the queue was full
        }


@attrs.define(eq=False)
class KafkaConsumer:
    """One member of a group."""

    access: KafkaAccess
    codec: EventCodec
    membership: Membership
    group: str
    topics: tuple[str, ...]
    listener: Listener
    _consumer: Consumer = attrs.field(init=False)
    _positions: dict[TopicPartition, int] = attrs.field(init=False, factory=dict)
    """Of the partitions the listener was told of and that are still owned: the offset after the last record returned."""
    _new: dict[TopicPartition, Progress | None] = attrs.field(init=False, factory=dict)
    """Owned, and the listener does not know yet, with the committed progress."""
    _gone: dict[TopicPartition, None] = attrs.field(init=False, factory=dict)
    """No longer owned, and the listener does not know yet."""
    _unplaced: PortError | None = attrs.field(init=False, default=None)
    """Why the offsets of some new partitions could not be read."""
    _held: bool = attrs.field(init=False, default=False)
    _waiting: list[Taken] = attrs.field(init=False, factory=list)
    """Records taken from Kafka and not returned yet: what came during a stay, or before a poll failed."""
    _trouble: KafkaError | None = attrs.field(init=False, default=None)
    """What the client last said of brokers, until one is heard again."""
    _heard_at_s: float = attrs.field(init=False, factory=time.monotonic)
    """When a broker was last heard for sure."""

    def __attrs_post_init__(self) -> None:
        config = {**self.access.config(), **self.membership.config(self.group), "error_cb": self._troubled}
        self._consumer = client_of(Consumer, config)
        try:
            self._subscribe()
        except KafkaException as error:
            raise refusal(error.args[0], f"joining group {self.group}") from error

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            list(self.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def poll(self, max_records: int, timeout_s: float) -> Polled:
        """Return what is there, at most `max_records` and the byte budget, waiting for the first record."""
        try:
            self._resume()
            self._settle()
            self._gather(max_records, timeout_s)
        except KafkaException as error:
            raise refusal(error.args[0], f"polling as group {self.group}") from error
        polled = self._polled(self._let_go())
        if not len(polled):
            self._refuse_if_away()
            self._refuse_if_unheard()
        return polled

    def _let_go(self) -> Sequence[Taken]:
        """What may be returned: all that waits, but for what new partitions brought."""
        waiting, self._waiting = self._waiting, []
        if not self._new:
            return waiting
        self._waiting = [message for message in waiting if _place(message) in self._new]
        return [message for message in waiting if _place(message) not in self._new]

    def commit(self, come: Mapping[TopicPartition, Progress]) -> None:
        """Make these the floors from which the group resumes, with how far it has really come beside them."""
        places = [marks.mark(where, progress) for where, progress in come.items() if where in self._positions]
        if not places:
            return
        self._refuse_if_away()
        doing = f"committing as group {self.group}"
        try:
            answers = self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            raise refusal(error.args[0], doing) from error
        for answer in answers or ():
            if answer.error:
                raise refusal(answer.error, f"{doing} at {answer.topic}/{answer.partition}")

    def stay(self) -> None:
        """Pause everything and let Kafka's callbacks through; what they bring, the next poll tells."""
        try:
            self._consumer.pause(self._consumer.assignment())
        except KafkaException as error:
            self._trouble = error.args[0]
            return
        self._held = True
        self._hear()

    def _hear(self) -> None:
        """Let Kafka's callbacks through; a record that comes with them waits."""
        try:
            message = self._consumer.poll(0)
        except KafkaException as error:
            self._trouble = error.args[0]
            return
        if message is not None:
            self._waiting.append(cast("Taken", message))

    def close(self) -> None:
        """Leave the group. What was not committed comes again to the next owner."""
        self._positions.clear()
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaPlace]) -> None:
        """Place partitions where the group resumes; one it never committed, at its beginning."""
        places = [KafkaPlace(place.topic, place.partition) for place in partitions]
        try:
            found = {
                _where(place): marks.progress(place)
                for place in marks.committed(consumer, places, self.group, self.access.answer_within_s)
                if place.offset >= 0
            }
        except PortError as error:
            self._unplaced = error
            found = {}
        committed = {where: found.get(where) for where in map(_where, places)}
        placed = [KafkaPlace(where.topic, where.partition, _begin(come)) for where, come in committed.items()]
        if self.membership.protocol == "consumer":
            consumer.incremental_assign(placed)
        else:
            consumer.assign(placed)
        self._new.update(committed)

    def _on_revoke(self, _: Consumer, partitions: list[KafkaPlace]) -> None:
        """Let partitions go; the listener is told only of those it knows."""
        gone = set(map(_where, partitions))
        for where in gone:
            self._new.pop(where, None)
            if self._positions.pop(where, None) is not None:
                self._gone[where] = None
        self._waiting[:] = [message for message in self._waiting if _place(message) not in gone]

    def _troubled(self, error: KafkaError) -> None:
        """Remember it, unless it says less than what is known: that no broker is there follows why."""
        known = self._trouble is not None and self._trouble.code() in TELLING
        if not (known and error.code() in BROKERS_AWAY):
            self._trouble = error

    def _resume(self) -> None:
        """After a stay: let everything flow again."""
        if not self._held:
            return
        self._consumer.resume(self._consumer.assignment())
        self._held = False

    def _settle(self) -> None:
        """Tell the listener what changed."""
        if self._unplaced:
            self._join_anew()
        if self._gone:
            self.listener.revoked(sorted(self._gone))
            self._gone.clear()
        if self._new:
            self.listener.assigned({where: self._new[where] for where in sorted(self._new)})
            self._positions.update({where: come.floor if come else 0 for where, come in self._new.items()})
            # One that went while everything was paused comes back paused, and would never bring a record again.
            self._consumer.resume([KafkaPlace(where.topic, where.partition) for where in self._new])
            self._new.clear()

    def _join_anew(self) -> None:
        """Partitions whose offsets could not be read are given back: nothing of them may be polled."""
        error, self._unplaced = self._unplaced, None
        self._new.clear()
        self._waiting.clear()
        self._consumer.unsubscribe()
        self._subscribe()
        if error:
            raise error

    def _gather(self, max_records: int, timeout_s: float) -> None:
        waiting = self._waiting
        waiting += self._taken(1, 0 if waiting else timeout_s) if len(waiting) < max_records else []
        size = sum(map(len, waiting))
        while waiting and len(waiting) < max_records and size < self.membership.budget_bytes:
            more = self._taken(min(CHUNK, max_records - len(waiting)), self.membership.gather_s)
            waiting += more
            size += sum(map(len, more))
            if len(more) < CHUNK:
                break

    def _taken(self, at_most: int, timeout_s: float) -> list[Taken]:
        return cast("list[Taken]", self._consumer.consume(at_most, timeout_s))

    def _polled(self, messages: Sequence[Taken]) -> Polled:
        runs = self._runs(messages)
        by_topic: dict[str, list[tuple[TopicPartition, list[Taken]]]] = {}
        for where, run in runs.items():
            by_topic.setdefault(where.topic, []).append((where, run))
        raw, records, unreadable = [], [], []
        for topic, parts in by_topic.items():
            if self.codec.carries(topic):
                read, refused = self._typed(topic, parts)
                records += [read] if len(read) else []
                unreadable += [refused] if refused else []
            else:
                raw.append(_raw(topic, parts))
        after = {where: run[-1].offset() + 1 for where, run in runs.items()}
        self._positions.update(after)
        return Polled(
            RawEvents.concat(raw) if raw else None,
            tuple(records),
            after,
            _together(unreadable) if unreadable else None,
        )

    def _runs(self, messages: Iterable[Taken]) -> dict[TopicPartition, list[Taken]]:
        """
        Records by partition, in offset order, of partitions the listener knows and that are still owned.

        A record below the position of its partition was fetched for an assignment of before, which began elsewhere.
        """
        runs: dict[tuple[str, int], list[Taken]] = defaultdict(list)
        for message in messages:
            if message.error():
                self._note(message)
            else:
                runs[message.topic(), message.partition()].append(message)
        if runs:
            self._trouble, self._heard_at_s = None, time.monotonic()
        owned = {TopicPartition(*place): run for place, run in runs.items()}
        due = {where: _from(self._positions[where], run) for where, run in owned.items() if where in self._positions}
        return {where: run for where, run in due.items() if run}

    def _note(self, message: Taken) -> None:
        """Raise what can't be helped; the rest may pass, and records beside it must not be lost over it."""
        error = message.error()
        if error is None or error.code() in HARMLESS:
            return
        where = _place(message)
        at = self._positions.get(where) if error.code() in OUTSIDE_THE_LOG else message.offset()
        said = refusal(error, f"polling {where.topic}/{where.partition}/{at} as group {self.group}")
        if isinstance(said, Fatal) and not isinstance(said, WrongTopics):
            raise said
        self._trouble = error

    def _refuse_if_away(self) -> None:
        """Brokers that were said to be away, or to refuse us, are asked once more before a poll says that nothing is there."""
        if self._trouble is None:
            return
        said = refusal(self._trouble, f"polling as group {self.group}")
        if isinstance(said, Fatal) and not isinstance(said, WrongTopics):
            raise said
        may_pass = not isinstance(said, WrongTopics) and self._trouble.code() not in BROKERS_AWAY | TELLING
        if not (may_pass or set(self.topics) <= self._known_topics()):
            raise said
        self._trouble = None

    def _refuse_if_unheard(self) -> None:
        if time.monotonic() - self._heard_at_s >= self.membership.quiet_s:
            self._known_topics()

    def _known_topics(self) -> frozenset[str]:
        """Topics as a broker says now."""
        try:
            known = self._consumer.list_topics(timeout=1.0).topics
        except KafkaException as error:
            self._hear()
            if self._trouble and self._trouble.code() in TELLING:
                raise refusal(self._trouble, f"polling as group {self.group}") from error
            heard = f": {self._trouble.str()}" if self._trouble else ""
            raise LogUnavailable(f"no broker answers at {self.access.bootstrap}{heard}", KAFKA) from error
        self._heard_at_s = time.monotonic()
        return frozenset(known)

    def _typed(
        self, topic: str, parts: Sequence[tuple[TopicPartition, Sequence[Taken]]]
    ) -> tuple[Records, Unreadable | None]:
        messages = [message for _, run in parts for message in run]
        read = self.codec.decode(topic, [message.value() for message in messages])
        partition = pl.Series("partition", _partitions(parts), dtype=pl.Int32)
        offset = pl.Series("offset", [message.offset() for message in messages], dtype=pl.Int64)
        if len(read.kept) == len(messages):
            return Records(topic, partition, offset, read.facts), None
        kept = pl.Series(read.kept, dtype=pl.UInt32)
        refused = _unreadable(topic, messages, read)
        return Records(topic, partition[kept], offset[kept], read.facts), refused


def _where(place: KafkaPlace) -> TopicPartition:
    return TopicPartition(place.topic, place.partition)


def _begin(committed: Progress | None) -> int:
    return committed.floor if committed else OFFSET_BEGINNING


def _from(position: int, run: list[Taken]) -> list[Taken]:
    return run if run[0].offset() >= position else [message for message in run if message.offset() >= position]


def _place(message: Taken) -> TopicPartition:
    return TopicPartition(message.topic(), message.partition())


def _raw(topic: str, parts: Sequence[tuple[TopicPartition, Sequence[Taken]]]) -> RawEvents:
    """
    Messages of one raw topic over all its partitions by time, so that no partition runs ahead of the others.

    Within a partition their order stands, whatever their times say.
    """
    messages, partitions = [message for _, run in parts for message in run], _partitions(parts)
    stamps = [message.timestamp()[1] for message in messages]
    if len(parts) > 1:
        due = _never_falling(stamps, [len(run) for _, run in parts])
        order = sorted(range(len(messages)), key=due.__getitem__)
        messages, stamps = [messages[at] for at in order], [stamps[at] for at in order]
        partitions = [partitions[at] for at in order]
    return RawEvents(
        topics=[topic] * len(messages),
        partitions=partitions,
        offsets=[message.offset() for message in messages],
        timestamps_us=_micros(stamps),
        values=[message.value() for message in messages],
    )


def _micros(stamps_ms: Sequence[int]) -> pl.Series:
    """Timestamps in µs; a producer may state any, and one that has no µs counts as the last one that has."""
    return pl.Series(stamps_ms, dtype=pl.Int64).clip(upper_bound=_LATEST_MS) * 1000


def _partitions(parts: Sequence[tuple[TopicPartition, Sequence[Taken]]]) -> list[int]:
    return [number for where, run in parts for number in repeat(where.partition, len(run))]


def _never_falling(stamps: Sequence[int], lengths: Iterable[int]) -> list[int]:
    """Within each run, the highest time so far."""
    due: list[int] = []
    for length in lengths:
        due += accumulate(stamps[len(due) : len(due) + length], max)
    return due


def _unreadable(topic: str, messages: Sequence[Taken], read: ReadEvents) -> Unreadable:
    positions = sorted(set(range(len(messages))) - set(read.kept))
    refused = [messages[at] for at in positions]
    events = RawEvents(
        topics=[topic] * len(refused),
        partitions=[message.partition() for message in refused],
        offsets=[message.offset() for message in refused],
        timestamps_us=_micros([message.timestamp()[1] for message in refused]),
        values=[message.value() for message in refused],
    )
    return Unreadable(events, _moved(read.refusals, {position: at for at, position in enumerate(positions)}))


def _together(parts: Sequence[Unreadable]) -> Unreadable:
    starts = accumulate((len(part) for part in parts), initial=0)
    refusals = [_shifted(part.refusals, start) for part, start in zip(parts, starts, strict=False)]
    return Unreadable(RawEvents.concat([part.events for part in parts]), Refusals.concat(refusals))


def _moved(refusals: Refusals, event: Mapping[int, int]) -> Refusals:
    return Refusals(refusals.frame.with_columns(pl.col("event").replace_strict(event, return_dtype=pl.Int32)))


def _shifted(refusals: Refusals, by: int) -> Refusals:
    return Refusals(refusals.frame.with_columns(pl.col("event") + pl.lit(by, dtype=pl.Int32)))
