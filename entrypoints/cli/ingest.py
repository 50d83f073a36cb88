"""`dataproc ingest`: raw messages from files, onto their topics."""

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

from cyclopts import App, Parameter

from application.commands.replay import ReplayPace, ReplayRaw
from application.ports.errors import Fatal, Retryable
from application.ports.raw_source import BadInput
from entrypoints.exits import BAD_USAGE, DONE, status_of
from entrypoints.progress import Progress

UNAVAILABLE, INTERRUPTED = 69, 130

Replaying = Callable[[Sequence[str], ReplayPace, str | None], ReplayRaw]
"""Makes the command from paths, pace and topic."""


def ingest_app(replaying: Replaying) -> App:
    """
    The commands about raw messages.

    Args:
        replaying: Makes the command once it is known that it runs, e.g. from the container's providers.
    """
    app = App(name="ingest", help="Raw messages from files, onto their topics.", result_action="return_value")

    @app.command
    def replay(
        *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
        sample: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
        speed: str | None = None,
        rate: float | None = None,
        topic: str | None = None,
    ) -> int:
        """
        Publish files of raw messages to Kafka, each message with its key, partition and time; offsets are Kafka's own.

        Args:
            files: JSON lines, plain or gzip; - is standard input.
            sample: The same, by its other name.
            speed: Times the pace at which the messages came, e.g. 10x; max is as fast as Kafka takes them.
            rate: Messages a second.
            topic: Where everything goes, in place of the topics in the files.

        Returns:
            0 done, 1 failed, 2 bad usage, 69 Kafka can't be reached, 130 interrupted.
        """
        paths = [*files, *(sample or ())]
        if not paths:
            return _refuse("name at least one file of raw messages; - is standard input")
        unknown = [path for path in paths if path.startswith("--")]
        if unknown:
            return _refuse(f"unknown option {unknown[0]}; see --help")
        try:
            command = replaying(paths, _pace(speed, rate), topic)
        except ValueError as error:
            return _refuse(str(error))
        return _replayed(command)

    return app


def _replayed(command: ReplayRaw) -> int:
    try:
        with Progress() as progress:
            for sent in command.batches():
                progress.tell(sent, "publishing")
    except BadInput as error:
        return _stopped(command, BAD_USAGE, str(error))
    except Retryable as error:
        return _stopped(command, UNAVAILABLE, f"{error}; check DATA_PROC_KAFKA_BOOTSTRAP and that Kafka runs")
    except Fatal as error:
        return _stopped(command, status_of(error), str(error))
    except KeyboardInterrupt:
        return _stopped(command, INTERRUPTED, "interrupted")
    print(f"{command.sent:,} messages published", file=sys.stderr)
    return DONE


def _stopped(command: ReplayRaw, status: int, why: str) -> int:
    print(f"{why}\n{command.sent:,} messages were published; publishing them again is a re-delivery", file=sys.stderr)
    return status


def _pace(speed: str | None, rate: float | None) -> ReplayPace:
    if speed is not None and rate is not None:
        raise ValueError("--speed and --rate both say how fast; give one of them")
    if rate is not None and rate <= 0:
        raise ValueError("--rate must be above 0 messages a second")
    if speed in {None, "max"}:
        return ReplayPace(rate=rate)
    return ReplayPace(speed=_times(speed or ""))


def _times(speed: str) -> float:
    digits = speed.removesuffix("x")
    if not digits.replace(".", "", 1).isdigit() or float(digits) <= 0:
        raise ValueError("--speed must be max or a number of times, e.g. 10x")
    return float(digits)


def _refuse(problem: str) -> int:
    print(problem, file=sys.stderr)
    return BAD_USAGE
