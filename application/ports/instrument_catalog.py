"""Who knows what an instrument is."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.gold.taxonomy import History, InstrumentKey


class InstrumentCatalog(Protocol):
    """
    Reference data by tenant, point in time: what an instrument was classified as at any instant.

    A tenant's own entry comes before one shared by all tenants; an alias answers as the instrument it stands for.
    Its contract suite is tests/contract/test_instrument_catalog.py.
    """

    def version(self) -> int:
        """
        Return a number that rises whenever anything was loaded on which answers may depend; 0 where nothing changes.

        Raises:
            StoreUnavailable: It is not known now; what was looked up before counts meanwhile.
        """

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        """
        Return the history of each of these instruments; every one asked for is answered.

        Where nothing is known of an instrument, or not yet, its classification has no commodity; what its market
        alone implies (the region) is filled in. Once anything was loaded every answer has a metadata_version above 0.

        Raises:
            StoreUnavailable: Nothing is known about any of them now; ask again.
        """
