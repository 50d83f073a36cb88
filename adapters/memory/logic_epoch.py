"""The logic epoch in process."""

import attrs


@attrs.define
class MemoryLogicEpoch:
    """The highest epoch marked in this process."""

    _highest: int = 0

    def highest(self) -> int:
        """Return the highest epoch marked, 0 where none is."""
        return self._highest

    def mark(self, epoch: int) -> None:
        """Mark an epoch."""
        self._highest = max(self._highest, epoch)
