"""
Strict hand-over: many actors, each on a thread of its own, of which exactly one runs at a time.

Who runs next is for the seed to say, so a run is repeated to the letter; a thread only keeps an actor's place in the
middle of whatever it was doing.
"""

from collections.abc import Callable
from threading import Lock, Thread

import attrs


class Killed(BaseException):
    """The process ends here, with all it remembers."""


@attrs.define(eq=False)
class Actor:
    """One thread of work, which runs only while it is handed the turn."""

    work: Callable[[], None]
    wake_at_s: float = 0.0
    ended: bool = False
    failure: BaseException | None = None
    _doomed: bool = False
    _mine: Lock = attrs.field(init=False)
    _others: Lock = attrs.field(init=False)
    _thread: Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._mine, self._others = Lock(), Lock()
        self._mine.acquire()
        self._others.acquire()
        self._thread = Thread(target=self._live, daemon=True)
        self._thread.start()

    def turn(self) -> None:
        """Hand over, until the actor gives the turn back or ends."""
        self._mine.release()
        self._others.acquire()

    def give_back(self) -> None:
        """Called by the actor itself: let others run. Raises Killed where it was killed meanwhile."""
        self._others.release()
        self._mine.acquire()
        if self._doomed:
            raise Killed

    def kill(self) -> None:
        """End it where it stands."""
        if not self.ended:
            self._doomed = True
            self.turn()
        self._thread.join()

    def _live(self) -> None:
        self._mine.acquire()
        try:
            if not self._doomed:
                self.work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 whatever it is, the world reports it with its trace
            self.failure = error
        self.ended = True
        self._others.release()
