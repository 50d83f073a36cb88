"""
What is fuzzed: each target takes any bytes and asserts that they are accepted or refused, within bounds.

A raw topic's bytes become ticks, dead letters or a filter, and none is lost; a typed topic's become facts or refusals;
a command line's words are parsed or refused. Nothing raises, no refusal is an unforeseen one.
"""

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import polars as pl
from cyclopts import App, CycloptsError

from adapters.markets.raw_decoder import MarketDecoder
from adapters.memory.policies import MemoryPolicies
from adapters.memory.tables import MemoryLedgerTable
from adapters.wire.events import EventCodec, WireFormat
from application import topics
from application.ports.event_log import Polled, TopicPartition
from application.stages.normalize import NormalizeTicks
from domain.bronze.ledger import Ledger, unbalanced
from entrypoints.cli.__main__ import dataproc
from entrypoints.container import Container
from entrypoints.settings import Settings
from tests.builders import raw_events
from tests.performing import StandingClock, Tally

Target = Callable[[bytes], None]

SLOWEST_S = 5.0
"""CPU seconds one input may cost: a hundred times what the largest costs, so that only a runaway reaches it."""
MOST_MEMORY_KIB = 200_000
"""How much one input may raise the process's peak."""
AVRO = b"\x00\x00\x00\x00"
"""Begins a Confluent header; the schema's number ends it."""


def bounded(target: Target) -> Target:
    """The same target, which fails where it takes too long or too much memory."""

    def measured(value: bytes) -> None:
        begun_s, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        target(value)
        assert time.process_time() - begun_s < SLOWEST_S
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MOST_MEMORY_KIB

    return measured


@cache
def decoder() -> MarketDecoder:
    """Reads all raw topics."""
    return MarketDecoder()


@cache
def policies() -> MemoryPolicies:
    """The shipped feeds."""
    return MemoryPolicies.from_files()


def normalized(topic: str, value: bytes) -> None:
    """A raw message ends in exactly one way, beside a good neighbour that is not harmed."""
    ledger = MemoryLedgerTable()
    stage = NormalizeTicks(decoder(), policies(), StandingClock(), Tally(), ledger=ledger)
    outcome = stage.run(Polled(raw=raw_events(value, b"", topic=topic), next_offsets={TopicPartition(topic, 0): 2}))
    rows = {store.table: store.rows for store in outcome.store}
    booked = rows["ledger"]
    assert isinstance(booked, Ledger)
    assert booked.frame["messages"].to_list() == [2]
    assert len(unbalanced(booked)) == 0
    assert len(rows["silver_ticks"]) == booked.frame["ticks"].sum()
    letters = outcome.refused.frame if outcome.refused else pl.DataFrame({"message": []}, schema={"message": pl.String})
    unforeseen = letters.filter(pl.col("message").str.contains("unforeseen"))["message"].to_list()
    assert unforeseen == []
    outcome.kept()


def framed(value: bytes) -> None:
    """The same for Avro of each writer's schema, on each topic that may carry it: the first byte picks both."""
    choice = value[0] if value else 0
    topic = topics.RAW[choice % len(topics.RAW)]
    normalized(topic, AVRO + bytes([choice // len(topics.RAW) % 5]) + value[1:])


def typed(value: bytes) -> None:
    """A record of one of our own topics is a fact or is refused: the first byte picks the topic."""
    topic = OUR_TOPICS[(value[0] if value else 0) % len(OUR_TOPICS)]
    read = codec(WireFormat.JSON).decode(topic, [value[1:], None])
    refused = set(read.refusals.frame["event"])
    assert sorted([*read.kept, *refused]) == [0, 1]
    assert len(read.facts) == len(read.kept)


OUR_TOPICS = (topics.NORMALIZED, topics.ENRICHED, topics.RECOMPUTE, topics.LATEST, topics.bars("5m"))


@cache
def codec(wire_format: WireFormat) -> EventCodec:
    """The codec of our events."""
    made: EventCodec = Container(settings=Settings(wire_format=wire_format.value)).codec()
    return made


@cache
def commands() -> App:
    """Every command of the operator."""
    return dataproc()


def parsed(value: bytes) -> None:
    """Words of a command line, one a line, are parsed or refused; nothing is run."""
    words = value.decode("utf-8", "replace").splitlines()
    try:
        commands().parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError:
        return


def name_of(topic: str) -> str:
    """What a raw topic's target is called."""
    return topic.removeprefix("ingestion.").removesuffix(".raw.v1")


def _targets() -> Iterator[tuple[str, Target]]:
    for topic in topics.RAW:
        yield name_of(topic), partial(normalized, topic)
    yield "avro", framed
    yield "events", typed
    yield "commands", parsed


TARGETS: Mapping[str, Target] = {name: bounded(target) for name, target in _targets()}
"""By name, which is also the folder of its corpus."""
