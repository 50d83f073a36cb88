"""Price limits as data."""

from typing import Protocol

from domain.gold.limits import PriceLimits


class PriceLimitPolicies(Protocol):
    """What an operator may change without a release. Its contract suite is tests/contract/test_price_limits.py."""

    def limits(self) -> PriceLimits:
        """The limits in force at any instant, for any instrument."""
