"""What must hold once a world is at rest."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import polars as pl

from domain.errors import Reason
from tests.simulation.checking import BAR_KEY, COORDINATES, SERIES_KEY, TICK_KEY, US, Wrong
from tests.simulation.truth import BAR, DEADLY, MICROS_A_MINUTE, Truth, differences, moment_us, rows_of
from tests.simulation.world import NEWER, World

MOST_TOLD = 8
HOUR_US = 60 * MICROS_A_MINUTE


def judge(world: World) -> None:
    """Raise Wrong where any table, cache or topic is not as the raw log says it must be."""
    found = list(all_differences(world, Truth.of(world.messages, picky=world.swarm.picky)))
    if found:
        more = f"\n… and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
        raise Wrong("\n".join(found[:MOST_TOLD]) + more)


def all_differences(world: World, truth: Truth) -> Iterator[str]:
    """Everything that is wrong."""
    yield from ledger(world, truth)
    yield from ticks(world, truth)
    for interval in world.swarm.intervals:
        yield from bars_of(world, truth, interval)
    for interval in world.swarm.intervals[1:]:
        yield from sums(world, interval)
    yield from seals(world, truth)
    yield from prices(world, truth)
    yield from epochs(world)
    yield from progress(world)


def ledger(world: World, truth: Truth) -> Iterator[str]:
    """I1, I16: each message has ended once, as it must, and what was refused can be tried again."""
    rows = rows_of(world.tables["outcomes"].final(), ("topic", "partition", "offset"))
    wanted = {key: {"outcome": verdict.outcome, "ticks": len(verdict.ticks)} for key, verdict in truth.verdicts.items()}
    yield from differences("I1 outcomes", rows, wanted)
    raw = {message.coordinates: message.value or b"" for message in world.messages}
    refused = {key: {"raw": raw[key]} for key, verdict in truth.verdicts.items() if verdict.refusals}
    yield from set_aside(world)
    yield from conservation(world, truth)
    yield from corrections(world, truth)
    letters = rows_of(world.tables["dead_letters"].final(), ("topic", "partition", "offset"))
    told = {key: {"raw": told} for key, told in world.watcher.letters["topic"].items()}
    for what, found in (("I16 dead_letters", letters), ("I16 announced dead letters", told)):
        unheld: dict[Any, dict[str, Any]] = {key: {} for key in truth.unheld if key in found or not truth.unheld[key]}
        yield from differences(what, found, {**refused, **unheld})


def set_aside(world: World) -> Iterator[str]:
    """I16: quarantined is what ended its processes, and nothing else."""
    letters = world.tables["dead_letters"].final().filter(pl.col("reason") == Reason.QUARANTINE.value)
    found = set(letters.select(*COORDINATES).iter_rows())
    wanted = {message.coordinates for message in world.messages if message.value == DEADLY}
    if found != wanted:
        yield f"I16 dead_letters: {found} are quarantined instead of {wanted}"


def conservation(world: World, truth: Truth) -> Iterator[str]:
    """I1 as the product's own ledger has it: how the messages of each partition and hour ended."""
    wanted: dict[Any, Counter[str]] = defaultdict(Counter)
    for message in world.messages:
        verdict = truth.verdicts[message.coordinates]
        hour = message.timestamp_ms * 1000 // HOUR_US * HOUR_US
        counted = wanted[message.topic, message.partition, hour]
        counted.update({"messages": 1, "ticks": len(verdict.ticks), "rejected_rows": 0})
        counted.update({name: name == verdict.outcome for name in ("accepted", "filtered", "dead_letter")})
        counted["counted_to"] = max(counted["counted_to"], message.offset + 1)
    found = rows_of(world.tables["ledger"].final(), ("topic", "partition", "hour"))
    yield from differences("I1 ledger", found, wanted)


def corrections(world: World, truth: Truth) -> Iterator[str]:
    """
    As corrections count ticks that changed what was known: what some process had forgotten is not among them.

    Where one process has read everything once and remembers all of it, they are exactly those.
    """
    changing, changed = Counter[Any](), truth.changing(world.messages)
    for message in world.messages:
        hour = message.timestamp_ms * 1000 // HOUR_US * HOUR_US
        changing[message.topic, message.partition, hour] += changed[message.coordinates]
    found = rows_of(world.tables["ledger"].final(), ("topic", "partition", "hour"))
    for key, row in found.items():
        if row["corrections"] > changing[key]:
            yield f"I1 ledger: {key} counts {row['corrections']} corrections, of {changing[key]} at most"
    reads = len(world.read), world.sometimes["takes partitions over · normalization"]
    if reads == (len(world.messages), 1) and not world.swarm.picky and world.swarm.remembered > len(world.messages):
        wanted, counted = truth.corrections(world.read), sum(row["corrections"] for row in found.values())
        if counted != wanted:
            yield f"I1 ledger: {counted} corrections are counted instead of {wanted}"


def ticks(world: World, truth: Truth) -> Iterator[str]:
    """I2, I3: silver and enriched ticks are the newest statements, from where they were said."""
    wanted = truth.silver_rows()
    silver = rows_of(world.tables["silver_ticks"].final(), TICK_KEY)
    yield from differences("I3 silver_ticks", silver, wanted)
    enriched = rows_of(world.tables["enriched_ticks"].final(), TICK_KEY)
    yield from differences("I3 enriched_ticks", enriched, wanted)
    yield from differences("enriched_ticks", enriched, truth.enriched_rows())
    for table, rows in (("silver_ticks", silver), ("enriched_ticks", enriched)):
        for key in rows.keys() & wanted.keys():
            if rows[key]["origin"] not in truth.origins[key]:
                yield f"I3 {table}: {key} is from {rows[key]['origin']}, not from {truth.origins[key]}"


def bars_of(world: World, truth: Truth, interval: str) -> Iterator[str]:
    """I4, I5, I6: bars are what their ticks say, settled where their instrument is sealed, and were told of."""
    table = world.tables[f"bars_{interval}"].final()
    found = rows_of(table, BAR_KEY)
    wanted = {key: {name: bar[name] for name in BAR} for key, bar in truth.bar_rows(interval).items()}
    yield from differences(f"I4 bars_{interval}", found, wanted)
    yield from lineages(interval, table, truth)
    weights, known = truth.weights(interval), truth.known(interval)
    for key in found.keys() & wanted.keys():
        yield from one_bar(world, interval, key, found[key], weights[key])
        if not known[key][0] <= found[key]["known_at"] <= known[key][1]:
            yield f"known_at of bars_{interval}: {key} is {found[key]['known_at']}, not within {known[key]}"


def one_bar(world: World, interval: str, key: Any, found: dict[str, Any], weight: tuple[int, int]) -> Iterator[str]:
    """One bar's revision, state and last announcement."""
    seen = world.watcher.bars[interval][key]
    if seen.revision != found["revision"]:
        yield f"I5 bars_{interval}: {key} shows {found['revision']}, and {seen.revision} was written"
    if not weight[0] <= seen.versions <= weight[1]:
        yield f"I4 bars_{interval}: {key} sums versions to {seen.versions}, not from {weight[0]} to {weight[1]}"
    sealed = world.watcher.seals.get(key[:2], 0) >= found["interval_end"]
    if (seen.state != "provisional") != sealed or seen.revision % 256 != (seen.state != "provisional"):
        yield f"state of bars_{interval}: {key} is {seen.state} and {'sealed' if sealed else 'open'}"
    told = world.watcher.told_bars[interval].get(key)
    if told is None or (told.content, told.state) != (seen.content, seen.state):
        yield f"announcement of bars_{interval}: {key} is {seen} and was last told as {told}"


def lineages(interval: str, table: pl.DataFrame, truth: Truth) -> Iterator[str]:
    """I11: raw offsets of a bar reach from the first to the last of its ticks in each raw partition."""
    wanted = truth.lineages(interval)
    for *series, start, lineage in table.select(*SERIES_KEY, US("interval_start"), "lineage_partitions").iter_rows():
        ticks = wanted.get((*series, start), [])
        reach = {part["partition"]: (part["first_offset"], part["last_offset"]) for part in lineage}
        lost = [tick for tick in ticks if not any(within(where, reach) for where in tick)]
        ends = {(f"{topic}/{number}", at) for tick in ticks for topic, number, at in tick}
        invented = {(name, at) for name, both in reach.items() for at in both} - ends
        if lost or invented:
            yield f"I11 bars_{interval}: {(*series, start)} comes from {reach}, without {lost} and beyond {invented}"


def within(where: tuple[str, int, int], reach: dict[str, tuple[int, int]]) -> bool:
    """Whether a raw offset lies within what a bar says it came from."""
    topic, number, at = where
    first, last = reach.get(f"{topic}/{number}", (at + 1, at))
    return first <= at <= last


def sums(world: World, interval: str) -> Iterator[str]:
    """I6: a coarser bar adds up the epochs and the versions of the bars below it, as they are stored."""
    base = world.watcher.bars[world.swarm.intervals[0]]
    for (*series, start), bar in world.watcher.bars[interval].items():
        end = moment_us(bar.content[0])
        below = [low for key, low in base.items() if list(key[:2]) == series and start <= key[2] < end]
        weight, known_at = sum(low.weight for low in below), max(low.known_at for low in below)
        if (bar.weight, bar.known_at) != (weight, known_at):
            yield f"I6 bars_{interval}: {(*series, start)} is {bar}, and its parts weigh {weight}, known at {known_at}"


def seals(world: World, truth: Truth) -> Iterator[str]:
    """Every instrument is closed to the end of its last window."""
    wanted = {key: {"sealed_until": until} for key, until in truth.seals(world.swarm.intervals[0]).items()}
    yield from differences("bar_seals", rows_of(world.tables["bar_seals"].final(), SERIES_KEY), wanted)


def prices(world: World, truth: Truth) -> Iterator[str]:
    """I7: table, cache and listeners know the latest price."""
    wanted = truth.latest_rows()
    yield from differences("I7 served_latest", rows_of(world.tables["served_latest"].final(), SERIES_KEY), wanted)
    cache = world.tables["latest_prices_cache"]
    for key, price in wanted.items():
        found = rows_of(cache.of(*key).frame, SERIES_KEY)
        yield from differences("I7 cache", found, {key: price})
        told = world.watcher.ranks["topic"].get(key)
        if told is None or told[1] != world.watcher.ranks["served_latest"][key][1]:
            yield f"announcement of a price: {key} was last told as {told}"


def epochs(world: World) -> Iterator[str]:
    """What was read by newer logic first is computed by it."""
    base = world.swarm.intervals[0]
    length = world.intervals.base.minutes * MICROS_A_MINUTE
    for partition, floor in world.floors_at_upgrade.items():
        for offset, heard in world.watcher.enriched[partition].items():
            bar = world.watcher.bars[base].get((*heard.series, heard.ts_us // length * length))
            if offset >= floor and heard.may_count and bar and bar.epochs < NEWER:
                yield f"epoch: {heard} at {offset} of partition {partition} is in a bar of epoch {bar.epochs}"


def progress(world: World) -> Iterator[str]:
    """Nobody says that anything is left to do."""
    for stage, members in world.members.items():
        for where, said in world.log.progress(stage, members[0].inner.topics if members else ()).items():
            end = world.log.end(where)
            if (said.floor, said.position, said.owed) != (end, end, 0):
                yield f"progress: {stage} has come to {said} of {where}, which ends at {end}"
