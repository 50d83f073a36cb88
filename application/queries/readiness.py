"""Can this service do its work?"""

from collections.abc import Callable, Mapping

import attrs


@attrs.frozen
class CheckReadiness:
    """This will tell which of the things the service needs are there. Whether it lives is another question: it answers."""

    checks: Mapping[str, Callable[[], bool]]
    """By a name that may be shown to anyone; each answers at once and never raises."""
    spared: Mapping[str, Callable[[], bool]] = attrs.field(factory=dict)
    """The same of things that help, and that the service does its work without."""

    def __call__(self) -> Mapping[str, bool]:
        """Return each check's answer, those of what can be spared among them."""
        return {name: check() for name, check in {**self.checks, **self.spared}.items()}

    def ready(self, answers: Mapping[str, bool]) -> bool:
        """Whether the service can do its work, by these answers."""
        return all(answers[name] for name in self.checks)
