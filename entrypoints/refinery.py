"""All stages in one process, run in turn by one thread."""

from collections.abc import Callable, Sequence

import attrs

from application.consume import Consume


@attrs.define
class Refinery:
    """The loops of all stages, in the order in which facts pass through them."""

    loops: Sequence[Consume]
    batch: int

    def start(self) -> None:
        """Join all groups, so that nothing that is announced from now on is let go unread."""
        for loop in self.loops:
            loop.start()
        # Assignments are told from within a poll; a first, empty turn settles them.
        self.turn()

    def turn(self) -> int:
        """Let each stage take one batch. Returns how many records were taken; 0 where nothing is left to do at once."""
        return sum(loop.step() for loop in self.loops)

    def keep_up(self) -> None:
        """Let stages take batches until none of them has a full one waiting."""
        while max(loop.step() for loop in self.loops) >= self.batch:
            pass

    def drain(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Let stages take batches until nothing is left, recompute requests included."""
        while not stopping() and self.turn():
            pass

    def finish(self) -> None:
        """Store what is still open as it stands, at the end of an input."""
        for loop in self.loops:
            loop.finish()
        self.drain()

    @property
    def trouble(self) -> str:
        """What keeps commits from advancing; empty while they can."""
        return "; ".join(f"{loop.stage.name}: {loop.trouble}" for loop in self.loops if loop.trouble)

    def close(self) -> None:
        """Leave all groups."""
        for loop in self.loops:
            loop.close()
