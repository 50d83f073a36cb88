"""What the program says of itself while it works."""

import io

import attrs
import pytest
from rich.console import Console

from domain.bronze.ledger import FIGURES
from entrypoints import progress
from entrypoints.progress import Progress
from entrypoints.refinery import Refinery
from entrypoints.summary import refused_any, show, summary_of

TOPIC = "ingestion.market.ticks.raw.v1"


def said(capsys: pytest.CaptureFixture[str], *, silent: bool = False) -> str:
    with Progress(silent=silent) as telling:
        for messages in (1_000, 2_000):
            telling.tell(messages, "loading")
    return capsys.readouterr().err


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is no terminal."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def test_on_a_terminal_one_line_lives(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "loading: 2,000 messages" in said(capsys)


def test_elsewhere_a_line_now_and_then(
    piped: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys) == ""
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    assert [text.split(" messages")[0] for text in said(capsys).splitlines()] == ["loading: 1,000", "loading: 2,000"]


def test_told_to_be_silent_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert said(capsys, silent=True) == ""


def counted(**figures: int) -> dict[str, int]:
    """What the ledger says of a topic."""
    return dict.fromkeys(FIGURES, 0) | figures


def test_a_summary_says_what_became_of_every_message() -> None:
    ledger = {
        TOPIC: counted(messages=9, accepted=7, filtered=1, dead_letter=1, ticks=7, corrections=1),
        "a": counted(messages=1, accepted=1, ticks=2, rejected_rows=1),
    }
    summary = summary_of(ledger, {TOPIC: 2})
    assert list(summary["topics"]) == ["a", TOPIC]
    assert summary["topics"][TOPIC] == {
        "raw": 9, "accepted": 7, "filtered": 1, "dead_letter": 1, "ticks": 7, "rejected_rows": 0,
        "silver_distinct": 2, "duplicates": 5, "corrections": 1,
    }  # fmt: skip
    assert (refused_any(summary), refused_any({"topics": {}})) == (True, False)


@pytest.mark.parametrize(
    ("took_s", "rate"), [(2.0, "10 messages read in 2.0 s: 5 a second"), (0.0, "10 messages read in 0.0 s: 0 a second")]
)
def test_it_is_shown_as_a_table_with_the_rate_of_this_run(took_s: float, rate: str) -> None:
    ledger = {TOPIC: counted(messages=1_008, accepted=1_008, ticks=1_008), "a": counted(messages=2, filtered=2)}
    console = Console(file=io.StringIO(), width=200)
    show(summary_of(ledger, {TOPIC: 1}), {"bars_5m": 1_234}, 10, took_s, console)
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert all(text in told for text in ("market.ticks", "1,010", rate, "bars_5m 1,234"))


@attrs.define
class Stub:
    """A loop as the refinery sees it."""

    name: str
    trouble: str = ""
    closed: bool = False

    @property
    def stage(self) -> "Stub":
        return self

    def close(self) -> None:
        self.closed = True


def test_what_keeps_one_loop_from_committing_is_told_by_its_name() -> None:
    loops = [
        Stub("normalization"),
        Stub("aggregation", "storing bars_5m: not now"),
        Stub("projection", "polling: gone"),
    ]
    refinery = Refinery(loops, batch=1)  # type: ignore[arg-type]
    assert refinery.trouble == "aggregation: storing bars_5m: not now; projection: polling: gone"
    refinery.close()
    assert all(loop.closed for loop in loops)
