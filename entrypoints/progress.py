"""How far a load has come: a live line on a terminal, else one line every five seconds, on standard error."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from entrypoints.container import say

LINE_EVERY_S = 5.0


class Progress:
    """Tells of messages read and their rate. Silent where it is told to be."""

    def __init__(self, *, silent: bool = False, unit: str = "messages") -> None:
        self._unit = unit
        self._console = Console(stderr=True)
        self._silent = silent
        self._live = Live(console=self._console, transient=True) if self._console.is_terminal and not silent else None
        self._began_s = self._told_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def tell(self, messages: int, doing: str) -> None:
        """So many messages, or whatever else is counted, are through by now."""
        now_s = time.monotonic()
        rate = messages / max(now_s - self._began_s, 0.001)
        line = f"{doing}: {messages:,} {self._unit}, {rate:,.0f} a second"
        if self._live:
            self._live.update(Text(line))
        elif not self._silent and now_s - self._told_s >= LINE_EVERY_S:
            self._told_s = now_s
            say(line)
