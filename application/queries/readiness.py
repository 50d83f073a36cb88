"""Can this service do its work?"""

from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class CheckReadiness:
    """This will tell which of the things the service needs are there. Whether it lives is another question: it answers."""

    checks: Mapping[str, Callable[[], bool]]
    """By a name that may be shown to anyone; each answers at once and never raises."""

    def __call__(self) -> Mapping[str, bool]:
        """Return each check's answer. The service is ready when all are True."""
        return {name: check() for name, check in self.checks.items()}
