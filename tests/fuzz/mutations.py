"""Changes to inputs, where no coverage-guided engine is at hand: bytes flipped, cut, repeated, spliced, and known tokens."""

import random
from collections.abc import Sequence

TOKENS = (
    b"null", b"true", b"-0", b"1e400", b"NaN", b'""', b"{}", b"[]", b"\\ud800", b"\x00", b"\xff", b"\xef\xbb\xbf",
    b'"payload"', b'"price"', b'"timestamp"', b"2026-03-08T02:30:00", b"9" * 40, b"\xe2\x80\xae", b"--", b"\n", b"=",
)  # fmt: skip
LONGEST = 1 << 16


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One seed after a few changes."""
    value = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(0, 6)):
        begin = chance.randint(0, len(value))
        end = chance.randint(begin, min(len(value), begin + 32))
        other = chance.choice(seeds)
        at = chance.randint(0, len(other))
        value[begin:end] = chance.choice(
            [
                b"",
                chance.choice(TOKENS),
                bytes(value[begin:end]) * chance.randint(1, 50),
                other[at : at + 64],
                chance.randbytes(chance.randint(1, 4)),
            ]
        )
    return bytes(value[:LONGEST])
