"""What an instrument's id says of it. Source: contracts.md §2, instrument_id."""

import attrs


@attrs.frozen
class InstrumentName:
    """The parts of `MARKET.TYPE.RUN.LOCATION`; all but `whole` are empty for an id without a market, e.g. BTCUSDT."""

    whole: str
    market: str = ""
    kind: str = ""
    """What is priced, e.g. LMP or ICAP."""
    run: str = ""
    location: str = ""
    """Node, zone or contract; may hold dots."""

    @classmethod
    def of(cls, instrument_id: str) -> "InstrumentName":
        """Take an id apart; parts it does not have are empty."""
        parts = instrument_id.split(".", 3)
        return cls(instrument_id, *parts) if len(parts) > 1 else cls(instrument_id)
