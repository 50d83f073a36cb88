"""
What instruments are, kept at hand in Redis: `tenant:{tenant_id}:instrument:{instrument_id}`.

Entries expire after a while that differs from one to the next, so that what was filled together does not fall due
together. That nobody knows an instrument is kept too, for a shorter while. Redis may be away: then the catalog answers.

An entry says which version of the catalog it is of. Once a process knows of a higher one, older entries count for
nothing there, and are replaced: so no entry is ever deleted, and one that a slow process fills in late harms nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from threading import Lock

import attrs
from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter

from adapters.redis.connection import RedisConnection
from application.ports.clock import Clock
from application.ports.errors import StoreUnavailable
from application.ports.instrument_catalog import InstrumentCatalog
from domain.gold.taxonomy import History, InstrumentKey

KEYS_AT_ONCE = 5_000
REMEMBERED = 200_000
"""Instruments whose last answer this process keeps for when nobody else can be reached."""


def key_of(key: InstrumentKey) -> str:
    """The key of an instrument's history."""
    return f"tenant:{key.tenant_id}:instrument:{key.instrument_id}"


@attrs.frozen(kw_only=True)
class Kept:
    """For how long histories are kept, in seconds; each for a while between the two."""

    shortest_s: float = 180
    longest_s: float = 300
    unknown_s: float = 60
    """One of an instrument nobody describes."""
    stale_s: float = 3600
    """How old an answer of this process may be when neither Redis nor the catalog can be reached."""


@attrs.frozen
class RedisInstrumentCache:
    """
    An instrument catalog before another. However many threads ask for an instrument at once, the catalog is asked once.

    `chance` yields a number from 0 to below 1 at each call.
    """

    catalog: InstrumentCatalog
    redis: RedisConnection
    clock: Clock
    chance: Callable[[], float]
    kept: Kept = Kept()
    _asking: "dict[InstrumentKey, Future[History]]" = attrs.field(factory=dict, init=False)
    _answered: dict[InstrumentKey, tuple[float, History]] = attrs.field(factory=dict, init=False)
    _lock: Lock = attrs.field(factory=Lock, init=False)
    _version: list[int] = attrs.field(factory=lambda: [0], init=False)
    """The highest version of the catalog this process knows of."""

    def version(self) -> int:
        """Ask the catalog; entries of an older version count for nothing from now on."""
        self._version[0] = max(self._version[0], self.catalog.version())
        return self._version[0]

    def lookup(self, instruments: Sequence[InstrumentKey]) -> Mapping[InstrumentKey, History]:
        """Return the history of each instrument: from Redis, else from the catalog."""
        found = self._cached(instruments)
        lacking = [key for key in dict.fromkeys(instruments) if key not in found]
        return {**found, **self._asked_once(lacking)} if lacking else found

    def _cached(self, instruments: Sequence[InstrumentKey]) -> dict[InstrumentKey, History]:
        found: dict[InstrumentKey, History] = {}
        distinct = list(dict.fromkeys(instruments))
        for begin in range(0, len(distinct), KEYS_AT_ONCE):
            some = distinct[begin : begin + KEYS_AT_ONCE]
            try:
                values = self.redis.pipelined("reading instruments", [("GET", key_of(key)) for key in some])
            except StoreUnavailable:
                return found
            histories = {key: _read(value, self._version[0]) for key, value in zip(some, values, strict=True)}
            found.update({key: history for key, history in histories.items() if history})
        return found

    def _asked_once(self, lacking: Sequence[InstrumentKey]) -> dict[InstrumentKey, History]:
        """Ask the catalog about those nobody is asking about, and wait for who asks about the others."""
        with self._lock:
            others = {key: self._asking[key] for key in lacking if key in self._asking}
            mine = {key: Future[History]() for key in lacking if key not in others}
            self._asking.update(mine)
        found = self._answer(mine) if mine else {}
        return {**found, **{key: answer.result() for key, answer in others.items()}}

    def _answer(self, mine: "Mapping[InstrumentKey, Future[History]]") -> dict[InstrumentKey, History]:
        try:
            found = self._from_catalog(list(mine))
            for key, answer in mine.items():
                answer.set_result(found[key])
        except BaseException as error:
            for answer in mine.values():
                answer.set_exception(error)
            raise
        finally:
            with self._lock:
                for key in mine:
                    del self._asking[key]
        return found

    def _from_catalog(self, keys: Sequence[InstrumentKey]) -> dict[InstrumentKey, History]:
        try:
            # Known before it is asked: what it then says is of this version or a later one.
            version = self._version[0]
            found = dict(self.catalog.lookup(keys))
        except StoreUnavailable:
            remembered = self._remembered(keys)
            if remembered is None:
                raise
            return remembered
        self._remember(found)
        self._fill(found, version)
        return found

    def _remember(self, found: Mapping[InstrumentKey, History]) -> None:
        now_s = self.clock.monotonic_s()
        with self._lock:
            for key, history in found.items():
                self._answered.pop(key, None)
                self._answered[key] = now_s, history
            for key in list(islice(self._answered, max(0, len(self._answered) - REMEMBERED))):
                del self._answered[key]

    def _remembered(self, keys: Sequence[InstrumentKey]) -> dict[InstrumentKey, History] | None:
        """What this process was last told of all of them; None where it was not, or too long ago."""
        since_s = self.clock.monotonic_s() - self.kept.stale_s
        known = {key: self._answered[key] for key in keys if key in self._answered}
        if len(known) < len(keys) or any(at_s < since_s for at_s, _ in known.values()):
            return None
        return {key: history for key, (_, history) in known.items()}

    def _fill(self, found: Mapping[InstrumentKey, History], version: int) -> None:
        commands = [
            ("SET", key_of(key), _written(history, version), "PX", round(self._kept_s(history) * 1000))
            for key, history in found.items()
        ]
        for begin in range(0, len(commands), KEYS_AT_ONCE):
            try:
                self.redis.pipelined("keeping instruments", commands[begin : begin + KEYS_AT_ONCE])
            except StoreUnavailable:
                return

    def _kept_s(self, history: History) -> float:
        if not any(one.commodity for one in history):
            return self.kept.unknown_s
        return self.kept.shortest_s + self.chance() * (self.kept.longest_s - self.kept.shortest_s)


@attrs.frozen
class _Entry:
    """What lies under an instrument's key."""

    catalog: int
    """Version of the catalog it is of."""
    history: History


_ENTRIES = make_converter(forbid_extra_keys=True)


def _written(history: History, version: int) -> str:
    return _ENTRIES.dumps(_Entry(version, history))


def _read(value: object, version: int) -> History:
    """The history of an entry; none where there is none, it is older, or was written otherwise, as by another release."""
    if not isinstance(value, bytes):
        return ()
    try:
        entry = _ENTRIES.loads(value, _Entry)
    except (BaseValidationError, ValueError, AttributeError):  # the last of JSON that is no object
        return ()
    return () if entry.catalog < version else entry.history
