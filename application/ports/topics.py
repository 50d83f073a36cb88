"""The topics of a log: what there is, and creating what is missing."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class TopicPlan:
    """How a topic shall be."""

    name: str
    partitions: int
    kept_s: int | None
    """Seconds for which its records stay; None: for good."""
    stamped_by_broker: bool
    """Whether a record's time is when it was appended, or what its producer says."""
    largest_bytes: int
    """Of one record."""


class Topics(Protocol):
    """Topics that can be looked at and created."""

    def partitions(self) -> Mapping[str, int]:
        """
        Every topic there is, with its partitions.

        Raises:
            Retryable: The log can't be reached.
        """

    def create(self, plans: Sequence[TopicPlan]) -> Sequence[str]:
        """
        Create these topics; one that is there already is left as it is.

        Returns:
            Names of those that were created.

        Raises:
            Retryable: Some may be created, some not; call again.
            Fatal: The log refuses to.
        """
