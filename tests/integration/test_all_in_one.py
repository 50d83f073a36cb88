"""The whole refinery as its user starts it, on messages of this test's own making."""

import fcntl
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest

from entrypoints.all_in_one import main
from tests.builders import at, envelope, micros

ROOT = Path(__file__).parents[2]
MISO = "ingestion.miso.raw.v1"
HUB = "MISO.LMP.RT.INDIANA.HUB"


def price(label: str, lmp: object, **fields: Any) -> dict[str, Any]:
    """A 5-minute price whose interval ends at this EST label."""
    payload = {"market": "miso", "data_type": "lmp", "market_run": "RT", "node": "INDIANA.HUB", "timestamp": label}
    return envelope(payload | {"lmp_usd_per_mwh": lmp}, ingested_at=micros(at("12:00"))) | fields


def line(offset: int, value: object, **fields: Any) -> dict[str, Any]:
    place = {"topic": MISO, "partition": 0, "offset": offset, "timestamp_ms": micros(at("12:00")) // 1000}
    return place | {"key": "k", "value": value} | fields


LINES = (
    line(0, price("2026-10-05T05:05:00", 31.25), id="first"),
    line(1, price("2026-10-05T05:10:00", "32.5")),
    line(2, price("2026-10-05T05:05:00", 31.25, ingested_at=micros(at("12:30")))),
    line(3, price("2026-10-05T06:05:00", -1.5)),
    line(4, price("2026-10-05T05:10:00", 33, ingested_at=micros(at("13:00")))),
)
BROKEN = line(5, "no envelope", id="broken")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def written(*lines: dict[str, Any], name: str = "raw.jsonl") -> str:
        path = tmp_path / name
        text = "".join(json.dumps(said) + "\n" for said in lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return str(path)

    return written


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A free port, no settings of the machine's, and the signals as they were."""
    for name in [name for name in os.environ if name.startswith("DATA_PROC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_PROC_PORT", "0")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, taken in before.items():
        signal.signal(number, taken)


def bars(folder: Path, interval: str) -> list[tuple[Any, ...]]:
    frame = pl.read_parquet(folder / f"bars_{interval}.parquet").sort("interval_start")
    return frame.select("interval_start", pl.col("close_price").cast(pl.String), "trade_count", "state").rows()


def test_files_in_and_tables_out(write: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["--input", write(*LINES), "--once", "--export", str(out)]) == 0
    assert bars(out, "5m") == [
        (at("10:00"), "31.25000000", 1, "final"),
        (at("10:05"), "33.00000000", 1, "revised"),
        (at("11:00"), "-1.50000000", 1, "provisional"),
    ]
    assert [row[2] for row in bars(out, "1h")] == [2, 1]
    assert [row[0] for row in bars(out, "1d")] == [at("05:00")]
    assert {path.stem for path in out.iterdir()} == {
        "silver_ticks", "enriched_ticks", "bars_5m", "bars_1h", "bars_1d", "served_latest", "dead_letters", "outcomes", "summary",
        "bar_revisions", "bar_seals", "ledger",
    }  # fmt: skip
    assert pl.read_parquet(out / "ledger.parquet")["accepted"].sum() == 5
    latest = pl.read_parquet(out / "served_latest.parquet")
    assert latest.select("instrument_id", "ts").rows() == [(HUB, at("11:00"))]
    told = capsys.readouterr().out
    assert "raw messages" in told
    assert "tables are in" in told


def test_the_summary_counts_every_message(
    write: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--input", write(*LINES, BROKEN), "--once", "--export", str(out), "--json"]) == 3
    expected = {
        "raw": 6, "accepted": 5, "filtered": 0, "dead_letter": 1, "ticks": 5, "rejected_rows": 0,
        "silver_distinct": 3, "duplicates": 2, "corrections": 1,
    }  # fmt: skip
    assert json.loads((out / "summary.json").read_text()) == {"topics": {MISO: expected}}
    said = json.loads(capsys.readouterr().out)
    assert (said["topics"], said["rows"]["silver_ticks"], said["skipped"]) == ({MISO: expected}, 3, 0)
    outcomes = pl.read_parquet(out / "outcomes.parquet").sort("offset")
    assert outcomes.select("offset", "id", "outcome", "ticks").rows()[0] == (0, "first", "accepted", 1)
    assert outcomes.select("offset", "id", "outcome", "reason").rows()[-1] == (5, "broken", "dead_letter", "BAD_SHAPE")


def test_a_message_without_a_record_time_is_as_good_as_any(write: Callable[..., str], tmp_path: Path) -> None:
    out, undated = tmp_path / "out", [{**said, "timestamp_ms": None} for said in LINES]
    assert main(["--input", write(*undated), "--once", "--export", str(out), "--json"]) == 0
    assert pl.read_parquet(out / "silver_ticks.parquet")["quality_flags"].explode().drop_nulls().to_list() == [
        "PRICE_NEGATIVE"
    ]


def test_an_odd_message_ends_as_a_dead_letter_and_harms_no_other(write: Callable[..., str], tmp_path: Path) -> None:
    out, path = tmp_path / "out", Path(write(*LINES))
    nested = "[" * 5000 + "]" * 5000
    odd = [json.dumps(line(offset, "@")).replace('"@"', value) for offset, value in ((5, '"\\ud800"'), (6, nested))]
    path.write_text(path.read_text() + "\n".join(odd))
    assert main(["--input", str(path), "--once", "--export", str(out), "--json"]) == 3
    letters = pl.read_parquet(out / "dead_letters.parquet").sort("offset")
    assert letters.select("offset", "reason").rows() == [(5, "ENCODING"), (6, "TOO_DEEP")]
    assert pl.read_parquet(out / "silver_ticks.parquet").height == 3


def test_the_same_file_twice_is_skipped_or_with_as_new_a_redelivery(
    write: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once, twice, anew = (tmp_path / name for name in ("once", "twice", "anew"))
    path = write(*LINES)
    assert main(["--input", path, "--once", "--export", str(once)]) == 0
    assert main(["--input", path, path, "--once", "--export", str(twice)]) == 0
    assert "5 messages were in the log already and skipped" in capsys.readouterr().out
    assert main(["--input", path, "--input", path, "--once", "--as-new", "--export", str(anew), "--json"]) == 0
    content = [
        "interval_start",
        "open_price",
        "high_price",
        "low_price",
        "close_price",
        "trade_count",
        "lineage_digest",
    ]
    for interval in ("5m", "1h", "1d"):
        tables = [
            pl.read_parquet(folder / f"bars_{interval}.parquet").select(content).sort("interval_start")
            for folder in (once, twice, anew)
        ]
        assert tables[1].equals(tables[0])
        assert tables[2].equals(tables[0])
    assert json.loads((anew / "summary.json").read_text())["topics"][MISO]["duplicates"] == 7


@pytest.mark.parametrize("batch", ["1", "2", "20000"])
@pytest.mark.parametrize("wire", ["false", "true"])
def test_neither_batch_size_nor_the_wire_between_stages_changes_what_is_stored(
    write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: str, wire: str
) -> None:
    monkeypatch.setenv("DATA_PROC_MAX_BATCH_SIZE", batch)
    monkeypatch.setenv("DATA_PROC_WIRE_BETWEEN_STAGES", wire)
    out = tmp_path / "out"
    assert main(["--input", write(*LINES, name="raw.jsonl.gz"), "--once", "--export", str(out), "--json"]) == 0
    assert [row[:3] for row in bars(out, "5m")] == [
        (at("10:00"), "31.25000000", 1),
        (at("10:05"), "33.00000000", 1),
        (at("11:00"), "-1.50000000", 1),
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--once"], "--once and --export end with an input"),
        (["--export", "out"], "--once and --export end with an input"),
        (["--demo", "--input", "x"], "give one of them"),
        (["--input"], "--input names no file"),
        (["--input", "--once", "--seconds", "1"], "--input names no file"),
        (["--input", "absent.jsonl", "--once"], "absent.jsonl"),
    ],
)
def test_bad_usage_is_told_and_ends_with_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert complaint in capsys.readouterr().err


def test_the_first_prices_of_1970_have_bars_of_a_day_that_began_before(
    write: Callable[..., str], tmp_path: Path
) -> None:
    out, told = tmp_path / "out", {"ingested_at": micros(at("1990-01-01T00:00:00"))}
    labels = ("1970-01-01T00:00:00", "1970-01-01T00:05:00", "1969-12-31T19:05:00")
    lines = [line(offset, price(label, 30, **told)) for offset, label in enumerate(labels)]
    assert main(["--input", write(*lines), "--once", "--export", str(out), "--json"]) == 0
    assert [(start, count) for start, _, count, _ in bars(out, "1d")] == [
        (at("1969-12-31T05:00:00"), 2),
        (at("1970-01-01T05:00:00"), 1),
    ]


def test_a_file_out_of_order_is_as_good_as_one_in_order(write: Callable[..., str], tmp_path: Path) -> None:
    ordered, shuffled = tmp_path / "ordered", tmp_path / "shuffled"
    assert main(["--input", write(*LINES), "--once", "--export", str(ordered)]) == 0
    path = write(*(LINES[at] for at in (3, 0, 4, 1, 2)), name="shuffled.jsonl.gz")
    assert main(["--input", path, "--once", "--export", str(shuffled)]) == 0
    assert bars(shuffled, "5m") == bars(ordered, "5m")


def test_bad_settings_end_with_2_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_PROC_BAR_INTERVALS", "7m")
    with pytest.raises(SystemExit) as exited:
        main(["--demo"])
    assert exited.value.code == 2
    assert "7m" in capsys.readouterr().err


def test_an_export_never_deletes_what_is_no_export(
    write: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precious = tmp_path / "home" / "thesis.tex"
    precious.parent.mkdir()
    precious.write_text("years of work")
    assert main(["--input", write(*LINES), "--once", "--export", str(precious.parent)]) == 1
    assert "holds something else than an earlier export" in capsys.readouterr().err
    assert precious.read_text() == "years of work"


def test_a_port_in_use_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from entrypoints.admin.serving import listen  # noqa: PLC0415

    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        monkeypatch.setenv("DATA_PROC_PORT", str(taken.getsockname()[1]))
        assert main(["--demo"]) == 2
    assert "set DATA_PROC_PORT to another port" in capsys.readouterr().err


@pytest.mark.parametrize("feed", ["sample feed", "files"])
def test_it_serves_for_as_long_as_it_is_told(
    feed: str, write: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--demo"] if feed == "sample feed" else ["--input", write(*LINES)]
    assert main([*arguments, "--seconds", "1"]) == 0
    assert "serving on http://127.0.0.1:" in capsys.readouterr().err


def test_an_input_that_turns_out_bad_while_serving_stops_the_program(
    write: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--input", write({"topic": "nobody-reads-this", "value": {}}), "--seconds", "30"]) == 2
    assert "nobody reads the topic" in capsys.readouterr().err


class Program:
    """The refinery as a process of its own."""

    def __init__(self, *arguments: str, standard_input: Any = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "entrypoints.all_in_one", *arguments],
            cwd=ROOT,
            stdin=standard_input,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def address(self) -> str:
        """Where it serves, once it says so."""
        assert self.process.stderr
        for said in self.process.stderr:
            if found := re.match(r"serving on (\S+)", said):
                return found[1]
        raise AssertionError("it never served")

    def interrupted(self) -> tuple[int, str]:
        """Interrupt it; returns its exit code and what it said since."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out + err


def asked(address: str, until: Callable[[Any], bool]) -> Any:
    """The answer of an address, asked again until it is as expected."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
                said = json.loads(answer.read())
        except OSError:
            said = None
        if said is not None and until(said):
            return said
        time.sleep(0.1)
    raise AssertionError(f"{address} never answered so")


def test_prices_and_bars_answer_over_http_while_it_runs_and_ctrl_c_stops_it(write: Callable[..., str]) -> None:
    with Program("--input", write(*LINES)) as program:
        address = program.address()
        said = asked(
            f"{address}/projections/latest_price?instrument_id={HUB}", lambda answer: answer["data"]["price"] == -1.5
        )
        assert said["data"]["timestamp"] == "2026-10-05T11:00:00Z"
        asked(f"{address}/v1/bars?instrument_id={HUB}&interval=5m", lambda answer: HUB in json.dumps(answer))
        asked(f"{address}/health/ready", lambda _: True)
        code, _ = program.interrupted()
        assert code == 0


@pytest.mark.parametrize("profile", [["--once"], ["--once", "--data-dir"], []])
def test_ctrl_c_ends_a_load_that_waits_for_its_input(profile: list[str], tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", [str(tmp_path / "data")] if "--data-dir" in profile else []
    os.mkfifo(pipe)
    with Program("--input", str(pipe), *profile, *folder) as program, pipe.open("wb") as writer:
        writer.write(json.dumps(line(0, {})).encode() + b"\n")
        writer.flush()
        code, said = program.interrupted()
    assert code == (130 if profile else 0), said
    assert "run the same command again" in said.lower()
    assert "Traceback" not in said


def test_a_standard_error_that_is_full_stops_nothing(write: Callable[..., str]) -> None:
    with Path("/dev/full").open("wb") as full:
        assert served_for_a_second(write(*LINES), full) == 0


def test_a_standard_error_that_nobody_reads_holds_up_nothing(write: Callable[..., str]) -> None:
    read, written = os.pipe()
    with open(read, "rb"), open(written, "wb", buffering=0) as unread:  # noqa: PTH123 - descriptors
        unread.write(bytes(fcntl.fcntl(read, fcntl.F_GETPIPE_SZ)))
        assert served_for_a_second(write(*LINES), unread) == 0


def served_for_a_second(path: str, standard_error: Any) -> int:
    """The exit code of a program that says where it serves, and what it thinks of a file."""
    command = [sys.executable, "-m", "entrypoints.all_in_one", "--input", path, "--seconds", "1"]
    return subprocess.run(command, cwd=ROOT, stderr=standard_error, timeout=60, check=False).returncode


@pytest.mark.parametrize(("once", "in_time"), [(["--once"], 130), ([], 0)])
@pytest.mark.parametrize(("times", "drain_s"), [("1", "0.2"), ("2", "600")])
def test_asked_to_stop_while_a_stage_hangs_it_ends_in_time_and_asked_twice_at_once(
    write: Callable[..., str], once: list[str], in_time: int, times: str, drain_s: str
) -> None:
    hanging = [sys.executable, "-m", "tests.support.hanging", times, "--input", write(*LINES), *once]
    ended = subprocess.run(
        hanging,
        cwd=ROOT,
        env=os.environ | {"DATA_PROC_DRAIN_S": drain_s},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    told = "stopping took too long" in ended.stderr
    assert (ended.returncode, told) == ((in_time, True) if times == "1" else (-signal.SIGTERM, False))


def test_standard_input_is_read_and_an_interrupted_load_says_how_to_go_on(tmp_path: Path) -> None:
    with Program(
        "--input", "-", "--once", "--export", str(tmp_path / "out"), standard_input=subprocess.PIPE
    ) as program:
        assert program.process.stdin
        for number in range(20_001):
            program.process.stdin.write(json.dumps(line(number, {})) + "\n")
        program.process.stdin.flush()
        time.sleep(3)
        program.process.send_signal(signal.SIGINT)
        program.process.stdin.close()
        program.process.stdin = None
        out, err = program.process.communicate(timeout=60)
        assert program.process.returncode == 130, out + err
        assert "run the same command again" in err
        assert not (tmp_path / "out").exists()
