"""Up to where each instrument's windows are closed, durably."""

from collections.abc import Sequence
from typing import Protocol

from domain.gold.watermark import Seals


class SealTable(Protocol):
    """Seals by (tenant, instrument). They only rise: of two writes the later `sealed_until` stays."""

    def upsert(self, rows: Seals) -> None:
        """Raise seals. Raises StoreUnavailable: write the batch again."""

    def of_partitions(self, partitions: Sequence[int]) -> Seals:
        """Return the seals of all instruments that these partitions of the tick topic carry."""

    def of(self, tenant_id: str, instrument_id: str) -> Seals:
        """Return the seal of this instrument; nothing where none of its windows was ever closed."""
