"""Which market a message says it is from, and which of its data types are no prices. Source: contracts.md §1."""

from typing import Any

from adapters.markets.reading import lower, upper
from adapters.wire.exact_json import Members, has_control_characters, is_text, is_unsaid
from adapters.wire.unreadable import Unreadable
from application.topics import MARKETS
from domain.errors import Reason

NO_PRICE = ("outages", "alberta_internal_load")
NO_PRICE_PREFIX = "current_supply_demand_"


def refuse_other_market(stated: Any, market: str) -> None:
    """Raise Unreadable (UNKNOWN_MARKET, MARKET_MISMATCH) unless a message names the market of its topic, in any case."""
    if not is_text(stated) or lower(stated) not in MARKETS:
        raise Unreadable(Reason.UNKNOWN_MARKET, "market", f"{stated!r:.80} is no market known here")
    if lower(stated) != market:
        raise Unreadable(Reason.MARKET_MISMATCH, "market", f"{lower(stated)} on the topic of {market}")


def venue_of(stated: Any) -> str:
    """Return a venue in upper case; empty where none is said. Raises Unreadable (UNKNOWN_MARKET) where it is no name."""
    if is_unsaid(stated):
        return ""
    if not is_text(stated) or has_control_characters(stated):
        raise Unreadable(Reason.UNKNOWN_MARKET, "market", f"{stated!r:.80} names no venue")
    return upper(stated)


def states_no_price(message: Members) -> bool:
    """Whether a message is of a type that never carries a price, in whatever market."""
    payload = message.get("payload")
    data_type: Any = payload.get("data_type") if isinstance(payload, dict) else None
    return is_text(data_type) and (data_type in NO_PRICE or data_type.startswith(NO_PRICE_PREFIX))
