"""What keeps a loop's commits from advancing: asked for by readiness, and told to the person who runs it now and then."""

from collections.abc import Mapping

import attrs

from application.ports.clock import Clock
from application.ports.errors import Retryable
from application.ports.journal import Journal


@attrs.frozen(kw_only=True)
class Vigilance:
    """When trouble is trouble, and how often it is told of."""

    told_every_s: float = 30.0
    """One that lasts, or comes back, is told of this often."""
    slow_after_s: float = 10.0
    """A call that has not returned by then is one, whatever becomes of it."""


@attrs.define
class Troubles:
    """
    The troubles of one loop. The loop alone writes; any thread may ask.

    A failed call is in trouble until the same call succeeds. However many calls fail over one thing that is away, it is
    told of once in a while, and once more when it is over.
    """

    stage: str
    clock: Clock
    journal: Journal
    vigilance: Vigilance = Vigilance()
    _failing: Mapping[str, Retryable] = attrs.field(init=False, factory=dict)
    """By what was being done. Replaced as a whole, so that whoever asks meanwhile sees one state or the other."""
    _doing: tuple[str, float] | None = attrs.field(init=False, default=None)
    _told_at_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _to_be_ended: dict[str, float] = attrs.field(init=False, factory=dict)
    """Since when each trouble lasts that was told of and whose end was not."""

    @property
    def told(self) -> str:
        """All of them in words; empty where there is none."""
        return "; ".join([*(f"{what}: {error}" for what, error in self._failing.items()), *self._slow()])

    @property
    def away(self) -> frozenset[str]:
        """Names of what does not do its part."""
        return frozenset(error.away for error in self._failing.values() if error.away)

    def begin(self, what: str) -> None:
        """A call begins."""
        self._doing = what, self.clock.monotonic_s()

    def fail(self, what: str, error: Retryable, message: str) -> None:
        """A call failed, and will be tried again."""
        self._failing = {**self._failing, what: error}
        name, now_s = error.away or what, self.clock.monotonic_s()
        last_s = self._told_at_s.get(name)
        if last_s is None or now_s - last_s >= self.vigilance.told_every_s:
            self._told_at_s[name] = now_s
            self._to_be_ended.setdefault(name, now_s)
            self.journal.warning(message, error=str(error), stage=self.stage)

    def succeed(self, what: str) -> None:
        """A call succeeded."""
        self._doing = None
        if what in self._failing:
            self._failing = {other: error for other, error in self._failing.items() if other != what}
            self._tell_of_ends()

    def _tell_of_ends(self) -> None:
        open_still = {error.away or what for what, error in self._failing.items()}
        for name in self._to_be_ended.keys() - open_still:
            lasted_s = self.clock.monotonic_s() - self._to_be_ended.pop(name)
            self.journal.info("it works again", what=name, lasted_s=round(lasted_s, 1), stage=self.stage)

    def _slow(self) -> list[str]:
        doing = self._doing
        if doing is None or doing[0] in self._failing:
            return []
        what, since_s = doing
        lasts_s = self.clock.monotonic_s() - since_s
        return [f"{what} has not returned for {lasts_s:.0f} s"] if lasts_s > self.vigilance.slow_after_s else []
