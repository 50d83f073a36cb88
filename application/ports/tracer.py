"""Telling what takes how long, step by step. Names are fixed by contracts.md §8."""

from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Protocol

SPANS = MappingProxyType(
    {
        "normalization": "normalization.consume",
        "enrichment": "enrichment.lookup",
        "aggregation": "aggregation.bar.compute",
        "projection": "projection.rebuild",
    }
)
"""The span of one batch, by the stage that takes it."""


class Tracer(Protocol):
    """Never raises by itself, never blocks: a lost span harms nobody."""

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        """A step that lasts as long as the context; what is logged within carries its trace."""


class Untraced:
    """Nobody wants to know."""

    @staticmethod
    def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:  # noqa: ARG004 - the port's signature
        """Tells nothing."""
        return nullcontext()
