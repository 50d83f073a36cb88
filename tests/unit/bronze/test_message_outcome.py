"""How messages ended, and the letters of those that could not be used."""

from hashlib import sha256

import polars as pl

from domain.bronze.dead_letter import DeadLetter
from domain.bronze.message_outcome import dead_letters, message_outcomes
from domain.bronze.raw_event import Refusal, Refusals
from tests.builders import TEN, raw_events


def refusal(event: int, index: int, reason: str = "BAD_PRICE") -> Refusal:
    return Refusal(event=event, index=index, reason=reason, field="price", message="price x is no number")


def outcomes(
    count: int, ticks: list[int], refusals: list[Refusal], filtered: list[tuple[int, str]]
) -> list[tuple[object, ...]]:
    tick_events = pl.Series("event", ticks, dtype=pl.Int32)
    told = message_outcomes(raw_events(*[b"{}"] * count), tick_events, Refusals.of(refusals), filtered)
    return told.frame.select("offset", "outcome", "reason", "ticks", "rejected_rows").rows()


def test_every_message_ends_in_exactly_one_way() -> None:
    refusals = [refusal(3, 1, "BAD_VOLUME"), refusal(3, 0), refusal(2, -1, "NOT_JSON"), refusal(1, 4)]
    assert outcomes(5, [0, 1, 1], refusals, [(4, "NOT_A_PRICE")]) == [
        (0, "accepted", "", 1, 0),
        (1, "accepted", "BAD_PRICE", 2, 1),
        (2, "dead_letter", "NOT_JSON", 0, 0),
        (3, "dead_letter", "BAD_PRICE", 0, 2),
        (4, "filtered", "NOT_A_PRICE", 0, 0),
    ]


def test_a_letter_keeps_the_head_of_what_was_refused_and_the_hash_of_all() -> None:
    large = b"x" * 10_000
    letters = dead_letters(raw_events(b"{}", large), Refusals.of([refusal(1, 0)]), "normalization", TEN, "1.2.3")
    assert letters.facts() == [
        DeadLetter(
            stage="normalization",
            reason="BAD_PRICE",
            field="price",
            message="price x is no number",
            topic="ingestion.miso.raw.v1",
            partition=0,
            offset=1,
            row_index=0,
            first_failed_at=TEN,
            retry_count=0,
            raw=b"x" * 8192,
            raw_sha256=sha256(large).hexdigest(),
            service_version="1.2.3",
        )
    ]


def test_a_tombstone_that_is_refused_has_no_bytes() -> None:
    letters = dead_letters(raw_events(None), Refusals.of([refusal(0, -1)]), "normalization", TEN, "1.2.3")
    assert letters.frame["raw"].to_list() == [b""]
