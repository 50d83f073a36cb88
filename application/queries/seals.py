"""Up to where is an instrument closed?"""

import attrs

from application.ports.seal_table import SealTable
from domain.gold.taxonomy import InstrumentKey
from domain.gold.watermark import Seal


@attrs.frozen
class FindSeal:
    """This will find up to where the windows of an instrument are closed: what comes before is late, and revises bars."""

    table: SealTable

    def __call__(self, key: InstrumentKey) -> Seal | None:
        """Return the seal; None where none of its windows was ever closed. Raises StoreUnavailable."""
        return next(iter(self.table.of(*key).facts()), None)
