"""Messages of every market, shape and oddity, compared with an independent calculation."""

from pathlib import Path
from random import Random

import pytest

from entrypoints.samples.messages import line
from entrypoints.samples.stream import Chances, sample_messages
from tests.builders import TEN
from tests.e2e.conftest import LoadFiles
from tests.oracle.comparison import differences
from tests.oracle.messages import as_line, messages
from tests.oracle.raw import RawMessage, read
from tests.oracle.results import results

SEEDS = (1, 2, 3)
MESSAGES = 2_000


@pytest.mark.parametrize("seed", SEEDS)
def test_every_message_the_contracts_speak_of(seed: int, tmp_path: Path, load: LoadFiles) -> None:
    made = messages(seed, MESSAGES)
    file = tmp_path / "messages.jsonl"
    file.write_bytes(b"".join(map(as_line, made)))

    assert differences(load([file]).export, results(made)) == []


def test_how_partitions_interleave_does_not_matter(tmp_path: Path, load: LoadFiles) -> None:
    made = messages(4, MESSAGES)
    partitions: dict[tuple[str, int], list[RawMessage]] = {}
    for message in made:
        partitions.setdefault((message.topic, message.partition), []).append(message)
    turns = [place for place, members in partitions.items() for _ in members]
    Random(4).shuffle(turns)
    file = tmp_path / "messages.jsonl"
    file.write_bytes(b"".join(as_line(partitions[place].pop(0)) for place in turns))

    assert differences(load([file]).export, results(made)) == []


def test_other_bar_intervals(tmp_path: Path, load: LoadFiles) -> None:
    made = messages(5, MESSAGES)
    file = tmp_path / "messages.jsonl"
    file.write_bytes(b"".join(map(as_line, made)))
    done = load([file], settings={"DATA_PROC_BAR_INTERVALS": "1m,15m,4h,1d"})

    assert differences(done.export, results(made), ("1m", "15m", "4h", "1d")) == []


def test_the_sample_feed(tmp_path: Path, load: LoadFiles) -> None:
    """Hours of the demo's own market, with more going wrong than usual."""
    file = tmp_path / "sample.jsonl"
    chances = Chances(repeat=0.2, correction=0.05, late=0.05, broken=0.05)
    offsets: dict[tuple[str, int], int] = {}
    with file.open("wb") as out:
        for sample, _ in zip(sample_messages(7, TEN, chances), range(20_000), strict=False):
            place = sample.topic, sample.partition
            offsets[place] = offsets.get(place, -1) + 1
            out.write(line(sample, offsets[place]))

    assert differences(load([file]).export, results(read(file))) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"DATA_PROC_WIRE_BETWEEN_STAGES": "true"},
        {"DATA_PROC_MAX_BATCH_SIZE": "331"},
        {"DATA_PROC_WINNERS": "0"},
        {"DATA_PROC_WINDOW_MEMORY_TICKS": "50", "DATA_PROC_REPLAY_LIMIT": "300"},
        {"DATA_PROC_PROVISIONAL_EVERY_S": "0"},
    ],
    ids=lambda settings: ",".join(name.removeprefix("DATA_PROC_").lower() for name in settings),
)
def test_settings_that_change_no_result(settings: dict[str, str], tmp_path: Path, load: LoadFiles) -> None:
    made = messages(6, MESSAGES)
    file = tmp_path / "messages.jsonl"
    file.write_bytes(b"".join(map(as_line, made)))

    assert differences(load([file], settings=settings).export, results(made)) == []
