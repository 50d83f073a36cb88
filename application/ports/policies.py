"""Policies as data: feeds and price limits."""

from typing import Protocol

from domain.silver.feed import FeedPolicies


class Policies(Protocol):
    """What an operator may change without a release."""

    def feeds(self) -> FeedPolicies:
        """How each feed's labels are read and how patient its windows are."""
