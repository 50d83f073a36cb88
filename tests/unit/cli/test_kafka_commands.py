"""The commands about topics, lag and replay: what they print, and the status they end with."""

import json
from collections.abc import Callable, Mapping, Sequence

import attrs
import pytest

from application import topics
from application.commands.replay import ReplayPace, ReplayRaw
from application.commands.topics import CreateTopics, all_topics
from application.pipeline import STAGES
from application.ports.errors import Fatal, LogUnavailable
from application.ports.event_log import Progress, TopicPartition
from application.ports.raw_source import BadInput
from application.queries.lag import ReadLag
from entrypoints.cli.ingest import ingest_app
from entrypoints.cli.lag import lag_app
from entrypoints.cli.topics import topics_app
from tests.performing import StandingClock
from tests.unit.application.test_lag import ENRICHED, LogAtRest
from tests.unit.application.test_replay import Fed, Given
from tests.unit.application.test_topics import ClusterInProcess

Captured = pytest.CaptureFixture[str]


def test_created_topics_are_listed_with_how_they_are(capsys: Captured) -> None:
    cluster = ClusterInProcess({topic: topics.partitions(topic) for topic in all_topics(["5m"])[1:]})
    app = topics_app(lambda: CreateTopics(cluster, ["5m"]))

    assert app(["create"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "created ingestion.miso.raw.v1: 4 partitions, kept for good",
        f"{len(cluster.there) - 1} topics were there already",
    ]


def test_a_dry_run_says_what_would_be_created(capsys: Captured) -> None:
    cluster = ClusterInProcess()

    assert topics_app(lambda: CreateTopics(cluster, ["5m"]))(["create", "--dry-run"]) == 0
    assert "would create normalized.market.ticks.v1: 6 partitions, kept 7 days\n" in capsys.readouterr().out
    assert cluster.there == {}


@attrs.define
class LogOnItsWay(LogAtRest):
    """A log whose stage takes another step whenever it is looked at; before that it may be away."""

    steps: list[Progress] = attrs.field(factory=list)
    away: int = 0

    def progress(self, group: str, topics: Sequence[str]) -> Mapping[TopicPartition, Progress]:
        if self.away:
            self.away -= 1
            raise LogUnavailable("no broker answers at 127.0.0.1:1")
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return {ENRICHED: step}


def lag_of(log: LogAtRest) -> Callable[[list[str]], object]:
    stages = [stage for stage in STAGES if stage.name == "projection"]
    return lag_app(lambda: ReadLag(log, stages, str), StandingClock())


def test_lag_is_a_table_for_people(capsys: Captured) -> None:
    log = LogOnItsWay({ENRICHED: 1_234}, {}, steps=[Progress(floor=1_000, position=1_200)])

    assert lag_of(log)([]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "projection" in line]
    assert [cell.strip() for cell in row.split("│")[3:9]] == ["0", "1,200", "1,000", "1,234", "34", "0"]


def test_lag_is_json_for_programs(capsys: Captured) -> None:
    log = LogOnItsWay({ENRICHED: 5}, {}, steps=[Progress(floor=1, position=4, owed=2)])

    assert lag_of(log)(["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "version": 1,
        "done": False,
        "lag": 1,
        "partitions": [
            {
                "stage": "projection", "topic": topics.ENRICHED, "partition": 0,
                "position": 4, "floor": 1, "end": 5, "owed": 2, "begin": 0, "lag": 1,
            }
        ],
    }  # fmt: skip


def test_waiting_ends_once_everything_is_performed_and_told(capsys: Captured) -> None:
    steps = [Progress(floor=1, position=4), Progress(floor=1, position=5, owed=1), Progress(floor=1, position=5)]
    log = LogOnItsWay({ENRICHED: 5}, {}, steps=steps, away=2)

    assert lag_of(log)(["--wait", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] is True


def test_waiting_ends_with_the_time_and_says_what_is_open(capsys: Captured) -> None:
    log = LogOnItsWay({ENRICHED: 5}, {}, steps=[Progress(floor=1, position=3, owed=7)])

    assert lag_of(log)(["--wait", "--timeout", "2"]) == 75
    assert (
        capsys.readouterr().err
        == "not done after 2 s: projection is 2 records behind; 7 ticks or windows are in no bar that was announced\n"
    )


@pytest.mark.parametrize("arguments", [[], ["--wait", "--timeout", "1"]])
def test_a_log_that_is_away_is_told_plainly(arguments: list[str], capsys: Captured) -> None:
    log = LogOnItsWay({}, {}, steps=[Progress(floor=0, position=0)], away=1_000)

    assert lag_of(log)(arguments) == 69
    assert "DATA_PROC_KAFKA_BOOTSTRAP" in capsys.readouterr().err


@attrs.define
class Replaying:
    """Notes what a replay was asked for."""

    failure: BaseException | None = None
    asked: list[tuple[list[str], ReplayPace, str | None]] = attrs.field(factory=list)
    fed: list[int] = attrs.field(factory=list)

    def __call__(self, paths: Sequence[str], pace: ReplayPace, topic: str | None) -> ReplayRaw:
        self.asked.append((list(paths), pace, topic))
        clock = StandingClock()
        return ReplayRaw(Given([0, 1, 2]), self.failing(Fed(clock)), clock)

    def failing(self, feed: Fed) -> Fed:
        if self.failure is not None:
            failure = self.failure

            class Broken(Fed):
                def append(self, *_: object) -> None:
                    raise failure

            return Broken(feed.clock)
        return feed


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["a.jsonl", "b.jsonl"], (["a.jsonl", "b.jsonl"], ReplayPace(), None)),
        (["a.jsonl", "--speed", "10x"], (["a.jsonl"], ReplayPace(speed=10), None)),
        (["a.jsonl", "--speed", "max"], (["a.jsonl"], ReplayPace(), None)),
        (["a.jsonl", "--speed", "0.5"], (["a.jsonl"], ReplayPace(speed=0.5), None)),
        (["a.jsonl", "--rate", "500"], (["a.jsonl"], ReplayPace(rate=500), None)),
        (["--topic", "t.v1", "--sample", "a.json"], (["a.json"], ReplayPace(), "t.v1")),
        (["-"], (["-"], ReplayPace(), None)),
    ],
)
def test_a_replay_is_what_was_asked_for(
    arguments: list[str], asked: tuple[list[str], ReplayPace, str | None], capsys: Captured
) -> None:
    replaying = Replaying()

    assert ingest_app(replaying)(["replay", *arguments]) == 0
    assert replaying.asked == [asked]
    assert "3 messages published" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name at least one file"),
        (["a", "--sped", "2x"], "unknown option --sped"),
        (["a", "--speed", "fast"], "--speed must be"),
        (["a", "--speed", "0x"], "--speed must be"),
        (["a", "--speed", "2x", "--rate", "5"], "give one of them"),
        (["a", "--rate", "0"], "--rate must be above 0"),
    ],
)
def test_what_can_not_be_meant_is_refused(arguments: list[str], said: str, capsys: Captured) -> None:
    replaying = Replaying()

    assert ingest_app(replaying)(["replay", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert replaying.asked == []


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (BadInput("a:1 is no raw message"), 2),
        (Fatal("no"), 1),
        (LogUnavailable("away"), 69),
        (KeyboardInterrupt(), 130),
    ],
)
def test_a_replay_that_stops_says_how_far_it_came(failure: BaseException, status: int, capsys: Captured) -> None:
    assert ingest_app(Replaying(failure))(["replay", "a"]) == status
    assert "0 messages were published" in capsys.readouterr().err
