"""The end of a process that was asked to stop and hangs."""

import os
from collections.abc import Callable
from typing import NoReturn

import attrs

from application.ports.journal import Journal
from entrypoints.exits import DONE


@attrs.frozen
class Drain:
    """How long a process that was asked to stop may take to end, and what is said where it does not."""

    within_s: float
    journal: Journal
    trouble: Callable[[], str]
    """What keeps the work from advancing."""
    status: int = DONE

    def give_up(self) -> NoReturn:
        """End the process as a kill would."""
        self.journal.warning(
            "stopping took too long and the process ends now; nothing is lost, what was not committed comes again",
            trouble=self.trouble(),
        )
        os._exit(self.status)
