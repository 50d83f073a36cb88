"""
A watch over the event loop that answers over HTTP.

Whoever holds the loop holds up every answer, liveness included, and nobody is told: the loop itself would have to tell.
So a task asks to be woken now and then, and says afterwards how late that was.
"""

import asyncio

import attrs

from application.ports.clock import Clock
from application.ports.journal import Journal
from application.ports.meter import Meter

LATE = "event_loop_late_seconds"


@attrs.define(kw_only=True)
class Watchdog:
    """Measures how late the event loop wakes who asked to be woken."""

    clock: Clock
    meter: Meter
    journal: Journal
    every_s: float = 0.25
    """Between two looks."""
    blocked_after_s: float = 1.0
    """So late a loop was blocked: who asks for liveness may have given up."""
    told_every_s: float = 30.0
    """A blocked loop is told of this often; every look counts in the metric."""
    _told_at_s: float | None = attrs.field(init=False, default=None)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            asked_s = self.clock.monotonic_s()
            await asyncio.sleep(self.every_s)
            self.woken(self.clock.monotonic_s() - asked_s - self.every_s)

    def woken(self, late_s: float) -> None:
        """The loop woke this so many seconds late."""
        self.meter.observe(LATE, max(late_s, 0.0))
        if late_s >= self.blocked_after_s and self._may_be_told():
            self.journal.warning(
                "the event loop was blocked: no request was answered meanwhile; blocking work belongs in a thread",
                late_s=round(late_s, 1),
            )

    def _may_be_told(self) -> bool:
        now_s = self.clock.monotonic_s()
        if self._told_at_s is not None and now_s - self._told_at_s < self.told_every_s:
            return False
        self._told_at_s = now_s
        return True
