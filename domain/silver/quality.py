"""
Quality flags: what is odd about a tick that is kept.

Record flags are functions of the raw record and its feed's label policy alone; only they are in silver ticks and bars.
The others are set at enrichment or later and change no bar. A rule is a function named after its flag, whose
parameters are the columns it reads; its body is operators, so it takes a float in a test and a polars expression here.

Source: contracts.md §2, flags; specification §11.
"""

from enum import IntFlag


class Flag(IntFlag):
    """A bit a flag. In batches a row's flags are one integer; at the border they are sorted names."""

    PRICE_NEGATIVE = 1 << 0
    VOLUME_NEGATIVE = 1 << 1
    PRECISION_LOSS = 1 << 2
    TS_FUTURE = 1 << 3
    TS_ANCIENT = 1 << 4
    TS_AMBIGUOUS = 1 << 5
    TS_UNIT_GUESSED = 1 << 6
    INGESTED_AT_ASSUMED = 1 << 7
    FEED_POLICY_ASSUMED = 1 << 8
    BAD_SEQUENCE = 1 << 9
    BAD_COMPONENT = 1 << 10
    SOURCE_CONFLICT = 1 << 11
    COMPONENT_MISMATCH = 1 << 12
    COMPONENT_INCOMPLETE = 1 << 13
    MISSING_METADATA = 1 << 16
    PRICE_OUT_OF_RANGE = 1 << 17


RECORD_FLAGS = Flag((1 << 16) - 1)
"""Flags that a raw record and its feed's policy alone decide."""

BAR_FLAGS = RECORD_FLAGS & ~(Flag.TS_FUTURE | Flag.TS_ANCIENT | Flag.INGESTED_AT_ASSUMED)
"""Flags a bar takes over from its ticks."""
