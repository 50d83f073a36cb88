"""
Normalize: raw messages in, clean ticks out.

Each message ends as silver ticks, as dead letters, or as a declared filter, and none is lost. The stage is a function
of the messages alone but for one thing: it drops what it has itself announced already, at that version or a higher one.
Correctness never depends on that memory. Source: design.md §2 and §4.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import attrs
import polars as pl

from application import topics
from application.outcome import Announce, Outcome, Store
from application.ports.clock import Clock
from application.ports.event_log import Polled, TopicPartition
from application.ports.ledger_table import LedgerTable
from application.ports.meter import Meter
from application.ports.policies import Policies
from application.ports.raw_decoder import RawDecoder
from application.stage import Share
from domain.bronze.dead_letter import MessageOutcomes
from domain.bronze.ledger import (
    FIGURES,
    KEY,
    Ledger,
    beside,
    come_again,
    continued,
    imbalance,
    messages_of,
    not_counted_yet,
    row_imbalance,
    tallied,
)
from domain.bronze.message_outcome import (
    ACCEPTED,
    DEAD_LETTER,
    FILTERED,
    dead_letters,
    message_outcomes,
    per_message,
)
from domain.bronze.raw_event import Decoded, RawEvents, RawPrices, Refusals
from domain.silver.cleaning import clean
from domain.silver.duplicates import Winners, corrects
from domain.silver.tick import RAW_ROW, TickBatch, content_digests, key_digests

NAME = "normalization"
TICKS = "silver_ticks"
OUTCOMES = "outcomes"
LEDGER = "ledger"
MOST_HOURS = 50_000
"""Rows of the ledger that are remembered; beyond it they are read back again."""


@attrs.frozen
class _Statements:
    """The ticks of one batch, whether announced or dropped, with what is known of their keys."""

    ticks: TickBatch
    keys: pl.Series
    contents: pl.Series
    announced: pl.Series
    """True where this process has announced this tick already, at its version or a higher one."""
    corrects: pl.Series
    """True where this tick changes what was known when it arrived, as far as this process remembers."""


@attrs.frozen
class _Booked:
    """What a batch adds to the ledger."""

    rows: Ledger
    """As they are with it."""
    fresh: pl.DataFrame
    """The messages it adds, by partition and hour."""

    def imbalances(self) -> tuple[int, int]:
        """Messages and rows of this batch that are lost, or counted twice; 0 and 0 where all is well."""
        sums = self.fresh.select(FIGURES).sum()
        messages = imbalance(sums["messages"], sums["accepted"], sums["filtered"], sums["dead_letter"])
        rows = row_imbalance(sums["rows"], sums["ticks"], sums["rejected_rows"])
        return abs(messages.item()), abs(rows.item())


@attrs.define
class NormalizeTicks:
    """
    Turns raw messages into ticks. A Stage.

    Its memory of what it has announced, and of the ledger, changes only when an outcome is kept.
    """

    decoder: RawDecoder
    policies: Policies
    clock: Clock
    meter: Meter
    service_version: str = "0.1.0"
    record_outcomes: bool = False
    """Whether to store what became of each message in the table `outcomes`."""
    ledger: LedgerTable | None = None
    """Where the conservation ledger is kept; without it none is."""
    remembered: int = 1_000_000
    """Keys of recently announced ticks to remember."""
    name: str = attrs.field(init=False, default=NAME)
    consumes: Sequence[str] = attrs.field(init=False, default=topics.RAW)
    _announced: Winners = attrs.field(init=False)
    _ledger: Ledger = attrs.field(init=False, factory=Ledger.empty)
    """Rows as this process stored them, or read them, since its partitions were assigned."""

    @_announced.default
    def _nothing_announced(self) -> Winners:
        return Winners(self.remembered)

    def assigned(self, shares: Mapping[TopicPartition, Share]) -> None:  # noqa: ARG002 Stage names it
        """Forget what was announced: what comes now is announced again, at most once a key."""
        self._forget()

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:  # noqa: ARG002 Stage names it
        """Forget what was announced."""
        self._forget()

    def finish(self) -> Outcome:
        """Nothing is ever open here."""
        return Outcome()

    def run(self, polled: Polled) -> Outcome:
        """Decide about raw messages: ticks to store and announce, dead letters, filters."""
        begun_s = self.clock.monotonic_s()
        if polled.raw:
            return self._decided(polled.raw, self.decoder.decode(polled.raw), polled.next_offsets, begun_s)
        if polled.unreadable:
            # What was quarantined comes alone. The loop makes its dead letters; here it is counted like any other.
            unread = Decoded(prices=RawPrices.empty(), refusals=polled.unreadable.refusals, filtered=())
            counted = self._decided(polled.unreadable.events, unread, polled.next_offsets, begun_s)
            return attrs.evolve(counted, refused=None)
        return Outcome(commit=polled.next_offsets)

    def _decided(
        self, events: RawEvents, decoded: Decoded, commit: Mapping[TopicPartition, int], begun_s: float
    ) -> Outcome:
        now = self.clock.now()
        ticks, refused_rows = clean(decoded.prices, events, self.policies.feeds(), now)
        refusals = Refusals.concat([decoded.refusals, refused_rows])
        tick_events = _tick_events(decoded.prices, refused_rows)
        outcomes = message_outcomes(events, tick_events, refusals, decoded.filtered)
        statements = self._compare(ticks, tick_events)
        messages = _as_counted(events, outcomes, decoded, tick_events.filter(statements.corrects))
        tally = tallied(messages)
        fresh = TickBatch(ticks.frame.filter(~statements.announced))
        booked = self._booked(messages, tally)
        return Outcome(
            store=(
                Store(TICKS, fresh, lost=partial(self._lose, fresh)),
                *((Store(OUTCOMES, outcomes),) if self.record_outcomes else ()),
                *((Store(LEDGER, booked.rows),) if len(booked.rows) else ()),
            ),
            announce=(Announce(topics.NORMALIZED, fresh, held_by=TICKS),),
            refused=dead_letters(events, refusals, NAME, now, self.service_version) if len(refusals) else None,
            commit=commit,
            kept=partial(self._keep, statements, tally, booked, self.clock.monotonic_s() - begun_s),
        )

    def _forget(self) -> None:
        self._announced = Winners(self.remembered)
        self._ledger = Ledger.empty()

    def _booked(self, messages: pl.DataFrame, tally: pl.DataFrame) -> "_Booked":
        """What is new to the ledger: messages that come again are in their rows already."""
        if self.ledger is None:
            return _Booked(Ledger.empty(), tally.clear())
        both, held = beside(tally, self._ledger), self._ledger
        unknown = both.filter(both["messages_before"].is_null())
        if unknown.height and len(stored := self.ledger.stored(unknown.select(KEY))):
            held = Ledger.concat([held, stored])
            both = beside(tally, held)
        if come_again(both):
            both = beside(tallied(not_counted_yet(messages, held)), held)
        return _Booked(continued(both), both)

    def _compare(self, ticks: TickBatch, tick_events: pl.Series) -> _Statements:
        keys, contents, versions = key_digests(ticks.frame), content_digests(ticks.frame), ticks.frame["version"]
        known = self._announced.lookup(keys)
        same_or_less = (known["version"] == versions) & (known["content"] >= contents)
        announced = ((known["version"] > versions) | same_or_less).fill_null(value=False)
        arrived = pl.DataFrame({"key": keys, "version": versions, "content": contents, "arrival": tick_events})
        return _Statements(ticks, keys, contents, announced, corrects(arrived, known))

    def _keep(self, statements: _Statements, tally: pl.DataFrame, booked: "_Booked", took_s: float) -> None:
        self._announced.remember(statements.keys, statements.ticks.frame["version"], statements.contents)
        self._measure(tally, statements.ticks, took_s)
        self._remember(booked)

    def _lose(self, ticks: TickBatch, unheld: pl.DataFrame) -> None:
        """What silver can't hold is not known: it must not hide what is older."""
        self._announced.forget(key_digests(ticks.frame.join(unheld, on=RAW_ROW, how="semi")))

    def _remember(self, booked: "_Booked") -> None:
        if not len(booked.rows):
            return
        known = Ledger.concat([self._ledger, booked.rows]).frame.unique(KEY, keep="last", maintain_order=True)
        self._ledger = Ledger(known) if known.height <= MOST_HOURS else booked.rows
        for figure in FIGURES:
            self.meter.count("ledger_total", int(booked.fresh[figure].sum()), figure=figure)
        messages, rows = booked.imbalances()
        self.meter.count("ledger_imbalance_total", messages, of="messages")
        self.meter.count("ledger_imbalance_total", rows, of="rows")

    def _measure(self, tally: pl.DataFrame, ticks: TickBatch, took_s: float) -> None:
        total = {figure: int(tally[figure].sum()) for figure in FIGURES}
        for status in (ACCEPTED, FILTERED, DEAD_LETTER):
            self.meter.count("normalization_messages_processed_total", total[status], status=status)
        for market, tenant_id, rows in ticks.frame.group_by("market", "tenant_id").len().iter_rows():
            self.meter.count("normalization_records_processed_total", rows, market=market, tenant_id=tenant_id)
        self.meter.count("normalization_errors_total", total[DEAD_LETTER])
        self.meter.count("invalid_records_total", total["rejected_rows"])
        self.meter.observe("normalization_processing_latency_ms", took_s * 1000)
        self.meter.observe("normalization_processing_duration_seconds", took_s)


def _tick_events(prices: RawPrices, refused: Refusals) -> pl.Series:
    """The message of each price that was not refused, in the order of the prices."""
    rows = prices.frame.select("event", "index")
    if len(refused):
        rows = rows.join(refused.frame, on=["event", "index"], how="anti", maintain_order="left")
    return rows["event"]


def _as_counted(events: RawEvents, outcomes: MessageOutcomes, decoded: Decoded, corrections: pl.Series) -> pl.DataFrame:
    """The messages as the ledger counts them. Rows are counted where they were read, not where they ended."""
    refused = decoded.refusals.frame
    rows = per_message(decoded.prices.frame["event"], len(events))
    if refused.height:
        rows = rows + per_message(refused["event"].filter(refused["index"] >= 0), len(events))
    return messages_of(outcomes, events.timestamps_us, rows, per_message(corrections, len(events)))
