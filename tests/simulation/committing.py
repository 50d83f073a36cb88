"""What lies before a committed floor will not be read again, so all of it must be stored and announced by then."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from application.ports.event_log import Progress, TopicPartition
from tests.oracle.digests import content
from tests.simulation.checking import UNSAID, Heard, Key, Watcher, Wrong, require
from tests.simulation.truth import SLOTS, overtaken, parted

TICKS = "enriched.market.ticks.v1"
REQUESTS = "processing.recompute.request.v1"


def committing(
    seen: Watcher, group: str, come: Mapping[TopicPartition, Progress], ends: Callable[[TopicPartition], int]
) -> None:
    """A group is about to resume from here."""
    passed = {}
    for where, progress in come.items():
        offset = progress.floor
        before = seen.committed.get((group, where), 0)
        require(offset >= before, "I8", lambda: f"{group} goes back from {before} to {offset} on {where}")  # noqa: B023
        require(offset <= ends(where), "I8", lambda: f"{group} commits {offset} beyond the end of {where}")  # noqa: B023
        require(offset <= progress.position, "progress", lambda: f"{group} is at {progress} of {where}")  # noqa: B023
        passed[where] = range(before, offset)
        seen.committed[group, where] = offset
    for where, records in passed.items():
        for what in unfinished(seen, group, where, records):
            raise Wrong(f"I10: {group} commits {records.stop} of {where}, and {what}")


def unfinished(seen: Watcher, group: str, where: TopicPartition, offsets: range) -> Iterator[str]:
    """Records among these whose effects are not all stored and announced, nor to be read again."""
    if group == "normalization":
        yield from (what for at in offsets for what in _unsettled(seen, (where.topic, where.partition, at)))
    elif group == "enrichment":
        ticks = (heard for at in offsets if (heard := seen.normalized[where.partition].get(at)))
        yield from (what for heard in ticks for what in _lacking(seen, "enriched_ticks", heard.key, heard.statement))
    elif group == "projection":
        yield from (what for heard in _counting(seen, where, offsets) for what in _unpriced(seen, heard))
    elif where.topic == TICKS:
        yield from _left_open(seen, where, offsets)
        closed = {(heard.series, seen.start_us(heard)) for heard in _counting(seen, where, offsets)}
        yield from (what for window in sorted(closed) for what in _uncounted(seen, where.partition, *window))
    else:
        asked = [one for at in offsets if (one := seen.requests[where.partition].get(at))]
        windows = {(one.series, start) for one in asked for start in range(one.start_us, one.end_us, seen.window_us)}
        yield from (what for window in sorted(windows) for what in _uncounted(seen, where.partition, *window))


def _unsettled(seen: Watcher, message: tuple[str, int, int]) -> Iterator[str]:
    """What lacks of one raw message."""
    verdict = seen.verdicts.get(message)
    if verdict is None:
        return
    if message not in seen.outcomes:
        yield f"nothing says what became of {message}"
    held, lost = parted(verdict, picky=seen.picky)
    for tick in held:
        yield from _lacking(
            seen, "silver_ticks", tick.key, (tick.ingested_at * SLOTS, content(tick) if seen.ties else 0)
        )
    if (verdict.refusals or any(not overtaken(tick, message, seen.verdicts) for tick in lost)) and not (
        message in seen.letters["table"] and message in seen.letters["topic"]
    ):
        yield f"{message} was refused without a dead letter that is stored and told"


def _lacking(seen: Watcher, table: str, key: Key, statement: tuple[int, int]) -> Iterator[str]:
    for place in (table, f"told of {table}"):
        if seen.statements[place].get(key, UNSAID) < statement:
            yield f"{place}: {key} is missing at {statement}"


def _counting(seen: Watcher, where: TopicPartition, offsets: Iterable[int]) -> Iterator[Heard]:
    """The ticks among these records that count in bars and prices."""
    records = seen.enriched[where.partition]
    return (records[at] for at in offsets if at in records and records[at].may_count)


def _unpriced(seen: Watcher, heard: Heard) -> Iterator[str]:
    """A price that is not in the table, in the cache or told, though none is later."""
    table, cache, topic = (
        seen.ranks[place].get(heard.series, ("", ())) for place in ("served_latest", "latest_prices_cache", "topic")
    )
    if min(table[0], cache[0]) < heard.rank:
        yield f"{heard} is later than what is served: {table} and {cache}"
    if topic[0] < heard.rank and topic[1] != table[1] and table[0][: len(heard.rank)] == heard.rank:
        yield f"{heard} was not told of"


def _left_open(seen: Watcher, where: TopicPartition, offsets: range) -> Iterator[str]:
    """Ticks of windows that are still open, unless they are said again, or better, behind the floor."""
    records = seen.enriched[where.partition]
    for heard in _counting(seen, where, offsets):
        is_open = seen.start_us(heard) + seen.window_us > seen.seals.get(heard.series, 0)
        behind = (other for at, other in records.items() if at >= offsets.stop and other.key == heard.key)
        if is_open and not any(other.statement >= heard.statement for other in behind):
            yield f"{heard} is open"


def _uncounted(seen: Watcher, partition: int, series: Key, start_us: int) -> Iterator[str]:
    """A closed window whose bars lack some tick before the floor, or were never told of, and that nobody will compute."""
    end_us = start_us + seen.window_us
    if end_us > seen.seals.get(series, 0) or _is_asked(seen, partition, series, start_us):
        return
    heard = _counting(seen, TopicPartition(TICKS, partition), range(seen.floor("aggregation", TICKS, partition)))
    count = len({one.key for one in heard if one.series == series and seen.start_us(one) == start_us})
    for interval in seen.intervals:
        told = seen.told_bars[interval]
        above = [
            bar for (*owner, start), bar in told.items() if tuple(owner) == series and start <= start_us < bar.end_us
        ]
        if count and (not above or above[0].trade_count < count):
            yield f"{count} ticks of {series} at {start_us} are not all in what was told of {interval}: {above}"


def _is_asked(seen: Watcher, partition: int, series: Key, start_us: int) -> bool:
    """Whether some request behind the floor asks for a window."""
    floor = seen.floor("aggregation", REQUESTS, partition)
    return any(at >= floor and one.covers(series, start_us) for at, one in seen.requests[partition].items())
