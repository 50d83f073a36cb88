"""Policies as data: feeds and price limits."""

from typing import Protocol

from domain.silver.feed import FeedPolicies


class Policies(Protocol):
    """What an operator may change without a release. Its contract suite is tests/contract/test_policies.py."""

    def feeds(self) -> FeedPolicies:
        """
        How each feed's labels are read and how patient its windows are: the same for as long as the process lives.

        A label that is read otherwise makes other ticks of the same records, so a change counts from the next start.

        Raises:
            StoreUnavailable: Nothing is known now; ask again.
            SchemaBehind: No policy is loaded; the message names the command that helps.
        """
