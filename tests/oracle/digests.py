"""Digests of what is said, in plain arithmetic: they decide between two statements of one key that are equally new."""

from decimal import Decimal
from hashlib import sha256

from tests.oracle.meaning import Tick

WORD = 2**64
NULL = 0x9E3779B97F4A7C15
FLAGS = (
    "PRICE_NEGATIVE", "VOLUME_NEGATIVE", "PRECISION_LOSS", "TS_FUTURE", "TS_ANCIENT", "TS_AMBIGUOUS", "TS_UNIT_GUESSED",
    "INGESTED_AT_ASSUMED", "FEED_POLICY_ASSUMED", "BAD_SEQUENCE", "BAD_COMPONENT", "SOURCE_CONFLICT",
    "COMPONENT_MISMATCH", "COMPONENT_INCOMPLETE",
)  # fmt: skip
"""Record flags, by their bits."""
NO_CONTENT = {"TS_ANCIENT", "INGESTED_AT_ASSUMED"}
"""Flags that say nothing of the price."""


def text(value: str) -> int:
    """A text as a number."""
    return int.from_bytes(sha256(value.encode()).digest()[:8], "big")


def digest(*numbers: int | None) -> int:
    """Numbers as one."""
    found = 0xCBF29CE484222325
    for place, number in enumerate(numbers):
        found += (NULL if number is None else number) * ((0x9E3779B97F4A7C15 * (2 * place + 3)) % WORD | 1)
    found %= WORD
    found = (found ^ found // 2**32) * 0xFF51AFD7ED558CCD % WORD
    return found ^ found // 2**32


def units(value: Decimal | None) -> int | None:
    """A price in hundred-millionths."""
    return None if value is None else int(value.scaleb(8))


def content(tick: Tick) -> int:
    """What a tick says; bids and asks are not among what the oracle reads."""
    prices = (tick.price, tick.volume, None, None, tick.energy_price, tick.congestion_price, tick.loss_price)
    labels = (text(label) for label in (tick.currency, tick.unit, tick.market))
    flags = sum(1 << FLAGS.index(name) for name in tick.flags - NO_CONTENT)
    return digest(*map(units, prices), tick.interval_end, *labels, flags)
