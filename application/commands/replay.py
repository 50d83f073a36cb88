"""Replay raw messages onto their topics, as fast as the log takes them, at a rate, or at the pace at which they came."""

from collections.abc import Iterator
from typing import Any

import attrs

from application.ports.clock import Clock
from application.ports.raw_feed import RawFeed
from application.ports.raw_source import Lines, RawSource
from domain.time import SECOND_US

SLICE_S = 0.25
"""With a pace, messages of so much time are appended together."""
UNHURRIED = 20_000


@attrs.frozen(kw_only=True)
class ReplayPace:
    """How fast messages go. At most one of the two is given; with none, as fast as the log takes them."""

    rate: float | None = None
    """Messages a second."""
    speed: float | None = None
    """Times the pace at which they came: with 10, an hour takes six minutes."""


@attrs.define
class ReplayRaw:
    """
    This will append the messages of a source to the log, each under its key, on its partition, with its time.

    Offsets are the log's own, so the same input twice is a re-delivery of everything. At the pace at which they came, a
    message that doesn't say when goes with those around it.
    """

    source: RawSource
    feed: RawFeed
    clock: Clock
    pace: ReplayPace = ReplayPace()
    topic: str | None = None
    """Where everything goes, in place of the topics in the input."""
    sent: int = attrs.field(init=False, default=0)
    """Messages that are durable by now."""

    def batches(self) -> Iterator[int]:
        """
        Append messages, and yield after each append how many were sent so far.

        Raises:
            BadInput: A line is no raw message. What was sent before stands.
            Retryable: The log can't be reached; the messages from `sent` on may be appended or not.
        """
        began_s, first_us = self.clock.monotonic_s(), None
        for lines in self.source.lines(self._at_most()):
            for came_us, part in self._due_together(lines):
                first_us = came_us if first_us is None else first_us
                self._wait_until(began_s + self._due_s(came_us, first_us))
                self._append(part)
                yield self.sent

    def _at_most(self) -> int:
        return UNHURRIED if self.pace.rate is None else max(1, min(UNHURRIED, round(self.pace.rate * SLICE_S)))

    def _due_together(self, lines: Lines) -> Iterator[tuple[int | None, Lines]]:
        """At the pace at which they came: messages of one slice of time, and when they came; else all of them."""
        stamps = _came_us(lines)
        if self.pace.speed is None or stamps[0] is None:
            yield None, lines
            return
        slice_us = max(1, round(SLICE_S * self.pace.speed * SECOND_US))
        begin = 0
        for at in range(1, len(stamps) + 1):
            if at == len(stamps) or stamps[at] // slice_us != stamps[begin] // slice_us:
                yield stamps[begin], lines.part(begin, at)
                begin = at

    def _due_s(self, came_us: int | None, first_us: int | None) -> float:
        """Seconds after the beginning at which messages that came then are due."""
        if self.pace.rate is not None:
            return self.sent / self.pace.rate
        if self.pace.speed is None or came_us is None or first_us is None:
            return 0.0
        return (came_us - first_us) / SECOND_US / self.pace.speed

    def _wait_until(self, due_s: float) -> None:
        early_s = due_s - self.clock.monotonic_s()
        if early_s > 0:
            self.clock.sleep(early_s)

    def _append(self, part: Lines) -> None:
        events = part.events
        if self.topic is not None:
            events = attrs.evolve(events, topics=[self.topic] * len(events))
        self.feed.append(events, part.keys or [None] * len(events))
        self.sent += len(events)


def _came_us(lines: Lines) -> list[Any]:
    """When each message came, µs; of one that doesn't say, when its neighbour did. None where none of them says."""
    stamps = lines.events.timestamps_us
    return stamps.fill_null(strategy="forward").fill_null(strategy="backward").to_list()
