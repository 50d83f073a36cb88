"""
Which statement about a key is known to be the newest: a bounded memory that may forget, but never errs.

Keys are well-mixed 64-bit digests, so a key's digits are its place in a table (open addressing, linear probing), and
a whole batch is looked up or placed by a few gathers and scatters instead of a loop over rows: 20,000 keys among
500,000 take 3 ms to look up and remember, in a dictionary 27. Two generations bound it: when the young one is full it becomes the old one,
and the old one is forgotten.
"""

from collections import deque
from typing import Self

import attrs
import polars as pl

_SMALLEST = 4096
_UNKNOWN = 0
_NOTHING = pl.Series([0], dtype=pl.UInt64)


@attrs.define
class _Generation:
    """Keys in slots; key 0 is an empty slot, version 0 a key that was forgotten."""

    keys: pl.Series
    versions: pl.Series
    contents: pl.Series
    used: int = 0

    @classmethod
    def of_slots(cls, slots: int) -> Self:
        keys, versions, contents = (_NOTHING.new_from_index(0, slots) for _ in range(3))
        return cls(keys, versions, contents)

    @property
    def room(self) -> int:
        return len(self.keys) // 2 - self.used

    def find(self, keys: pl.Series) -> pl.Series:
        """The slot of each key, null where it has none."""
        return self._probe(keys, claim=False)

    def place(self, keys: pl.Series) -> pl.Series:
        """The slot of each key, which is claimed where it had none. There must be room for all."""
        return self._probe(keys, claim=True)

    def _probe(self, keys: pl.Series, *, claim: bool) -> pl.Series:
        slots = len(self.keys)
        found = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(keys))
        rows = pl.arange(len(keys), dtype=pl.UInt32, eager=True)
        at = (keys % slots).cast(pl.UInt32)
        step = (keys // slots % slots).cast(pl.UInt32) | 1
        while len(rows):
            there = self.keys[at]
            if claim:
                there = self._claim(at, keys, there)
            same = there == keys
            found.scatter(rows.filter(same), at.filter(same))
            on = ~same & (there != _UNKNOWN)
            rows, keys, step = rows.filter(on), keys.filter(on), step.filter(on)
            at = (at.filter(on) + step) % slots
        return found

    def _claim(self, at: pl.Series, keys: pl.Series, there: pl.Series) -> pl.Series:
        empty = there == _UNKNOWN
        slots = at.filter(empty)
        self.keys.scatter(slots, keys.filter(empty))
        self.used += slots.n_unique()
        return self.keys[at]

    def raise_to(self, slots: pl.Series, versions: pl.Series, contents: pl.Series) -> None:
        """Keep, of the statements for one slot, the one with the highest version, at equal versions the greatest content."""
        while len(slots):
            known, content = self.versions[slots], self.contents[slots]
            newer = (versions > known) | ((versions == known) & (contents > content))
            slots, versions, contents = slots.filter(newer), versions.filter(newer), contents.filter(newer)
            self.versions.scatter(slots, versions)
            self.contents.scatter(slots, contents)

    def forget(self, keys: pl.Series) -> None:
        slots = self.find(keys).drop_nulls()
        self.versions.scatter(slots, 0)
        self.contents.scatter(slots, 0)

    def with_slots(self, slots: int) -> "_Generation":
        """The same knowledge in a larger table."""
        known = (self.versions != _UNKNOWN).arg_true()
        larger = _Generation.of_slots(slots)
        keys = self.keys[known]
        larger.raise_to(larger.place(keys), self.versions[known], self.contents[known])
        return larger


@attrs.define
class Winners:
    """
    The winning statement of recent keys: key → version, content.

    It holds at least the last `capacity / 2` distinct keys; at most `capacity` and a batch are in place, at 48 to 96
    bytes each, and as many wait, at 24.
    Keys and contents are digests of silver.tick; versions are above 0. What is remembered is put in its place only
    when somebody asks: a stream without late ticks never does.
    """

    capacity: int = 1_000_000
    _young: _Generation = attrs.field(init=False, factory=lambda: _Generation.of_slots(_SMALLEST))
    _old: _Generation = attrs.field(init=False, factory=lambda: _Generation.of_slots(_SMALLEST))
    _waiting: deque[tuple[pl.Series, pl.Series, pl.Series]] = attrs.field(init=False, factory=deque)
    _waiting_keys: int = attrs.field(init=False, default=0)

    def lookup(self, keys: pl.Series) -> pl.DataFrame:
        """The known `version` and `content` (UInt64) of each key, in the keys' order; null where unknown."""
        self._put_in_place()
        keys = _never_zero(keys)
        young = self._known(self._young, keys)
        if not self._old.used:
            return young
        old = self._known(self._old, keys)
        aged = (old["version"] > young["version"].fill_null(_UNKNOWN)).fill_null(value=False)
        return pl.DataFrame([old[name].zip_with(aged, young[name]) for name in ("version", "content")])

    @staticmethod
    def _known(generation: _Generation, keys: pl.Series) -> pl.DataFrame:
        slots = generation.find(keys)
        version = generation.versions[slots]
        known = version != _UNKNOWN
        unknown = pl.Series([None], dtype=pl.UInt64)
        content = generation.contents[slots]
        return pl.DataFrame(
            [version.zip_with(known, unknown).alias("version"), content.zip_with(known, unknown).alias("content")]
        )

    def remember(self, keys: pl.Series, versions: pl.Series, contents: pl.Series) -> None:
        """Take these statements in; for one key the higher version stays, at equal versions the greater content."""
        self._waiting.append((keys, versions, contents))
        self._waiting_keys += len(keys)
        while self._waiting and self._waiting_keys - len(self._waiting[0][0]) >= self.capacity:
            self._waiting_keys -= len(self._waiting.popleft()[0])

    def _put_in_place(self) -> None:
        while self._waiting:
            keys, versions, contents = self._waiting.popleft()
            keys = _never_zero(keys)
            self._make_room(len(keys))
            self._young.raise_to(self._young.place(keys), versions, contents)
        self._waiting_keys = 0

    def _make_room(self, keys: int) -> None:
        if keys <= self._young.room:
            return
        if self._young.used + keys <= self.capacity // 2:
            self._young = self._young.with_slots(_slots_for(self._young.used + keys))
        else:
            self._old, self._young = self._young, _Generation.of_slots(_slots_for(keys))

    def forget(self, keys: pl.Series) -> None:
        """Know nothing of these keys any more."""
        if not len(keys):
            return
        self._put_in_place()
        keys = _never_zero(keys)
        self._young.forget(keys)
        self._old.forget(keys)


def _never_zero(keys: pl.Series) -> pl.Series:
    return keys + (keys == _UNKNOWN).cast(pl.UInt64)


def _slots_for(keys: int) -> int:
    slots = _SMALLEST
    while slots < 4 * keys:
        slots *= 2
    return slots


def corrects(statements: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
    """
    Say which statements changed what was known when they arrived, given what was known and what came before them.

    Args:
        statements: `key`, `version`, `content` (UInt64) and `arrival` (any order of arrival), one row a statement.
        known: `version` and `content` known of each key before, as `Winners.lookup` returns them.

    Returns:
        True for what is newer than what was known, or as new and of greater content, and says something else; False for
        a repeat, for what is first heard of, and for what is older than what was known.
    """
    standing, held = _standing(statements), _standing(known).fill_null(_UNKNOWN)
    rows = statements.with_columns(standing, held.alias("held"), known["content"].alias("known_content"))
    before = rows["known_content"]
    newer = standing > held
    again = rows["key"].is_duplicated()
    if again.any():
        newer, before = _within_batch(rows.with_row_index("row").filter(again), newer, before)
    return newer & (before != rows["content"]).fill_null(value=False)


def _standing(statements: pl.DataFrame) -> pl.Series:
    """What is newer stands higher, and what is as new and of greater content."""
    version = statements["version"].cast(pl.UInt128) * pl.Series([1 << 64], dtype=pl.UInt128)
    return (version + statements["content"].cast(pl.UInt128)).alias("standing")


def _within_batch(rows: pl.DataFrame, newer: pl.Series, before: pl.Series) -> tuple[pl.Series, pl.Series]:
    """What was known before each of these rows, whose keys come several times, counting the rows that came earlier."""
    heard = pl.col("standing").cum_max().shift(1).over("key")
    rows = rows.sort("key", "arrival").with_columns(raises=pl.col("standing") > pl.max_horizontal(heard, "held"))
    newer = newer.clone().scatter(rows["row"], rows["raises"])
    raising = rows.filter("raises").with_columns(
        before=pl.coalesce(pl.col("content").shift(1).over("key"), "known_content")
    )
    return newer, before.clone().scatter(raising["row"], raising["before"])
