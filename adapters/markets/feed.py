"""
Which field of a typed payload is what: one declarative row per data type of a market.

The markets' files hold the rows; typed_payload.py reads any of them. Source: contracts.md §1, variant B and feeds.
"""

from typing import Any

import attrs

RUN = "RUN"
"""In an id: the message's market run, upper-cased; where it has none, RT for types that begin with rt, else DA."""


@attrs.frozen(kw_only=True)
class Feed:
    """What becomes of the payload fields of one data type. Lower-case parts of `id` and everything else are field names."""

    data_type: str
    id: str
    """Parts after the market, joined by '.': literals and RUN in upper case, payload fields in lower case."""
    symbol: tuple[str, ...]
    """Fields that name the location or contract; the first that is present counts, and the last must be there."""
    fixed_symbol: str = ""
    """The symbol of a feed that has only one price series."""
    time: str = "timestamp"
    end_time: str = ""
    """Field with the end of the interval; empty where the feed states none."""
    price: tuple[str, ...]
    """Fields that may hold the price; the first that is not null counts."""
    components: dict[str, str] = attrs.field(factory=dict)
    """Column of RawPrice → field."""
    volume: str = ""
    sequence: str = ""
    """A field that is the sequence where it is an integer, and a further fact where not."""
    extras: tuple[str, ...] = ()
    """Further facts of the price, kept in metadata under the market's own names."""
    unused: tuple[str, ...] = ()
    """Fields that are known and not kept."""
    currency: str = "USD"
    unit: str = "MWh"

    @property
    def id_parts(self) -> tuple[str, ...]:
        """Literals and field names of the id, in order."""
        return tuple(self.id.split("."))

    @property
    def id_fields(self) -> tuple[str, ...]:
        """Payload fields the id is made of, in order."""
        return tuple(part for part in self.id_parts if part.islower())

    @property
    def assumed_run(self) -> str:
        """The run of a message that states none; empty where the id has no run."""
        if RUN not in self.id_parts:
            return ""
        return "RT" if self.data_type.startswith("rt") else "DA"


def nodal(data_type: str, *, price: str, energy: bool = False, id: str = "LMP.RUN.node", **more: Any) -> Feed:  # noqa: A002 as the field it fills
    """A locational price per node, with congestion and loss, and energy where the market publishes it."""
    components = {"congestion_price": "congestion_usd_per_mwh", "loss_price": "loss_usd_per_mwh"}
    if energy:
        components["energy_price"] = "energy_usd_per_mwh"
    return Feed(
        **{"data_type": data_type, "id": id, "symbol": ("node",), "price": (price,), "components": components, **more}
    )


def rights(data_type: str, id: str, **more: Any) -> Feed:  # noqa: A002 as the field it fills
    """An auction of transmission rights: USD per MW, per path."""
    return Feed(
        **{
            "data_type": data_type,
            "id": id,
            "symbol": ("path",),
            "time": "auction_date",
            "price": ("clearing_price_usd_per_mw", "clearing_price_usd_per_mw_day"),
            "volume": "awarded_quantity_mw",
            "sequence": "round_id",
            "extras": ("source", "sink"),
            "unit": "MW",
            **more,
        }
    )
