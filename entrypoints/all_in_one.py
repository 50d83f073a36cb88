"""
The whole refinery in one process: python -m entrypoints.all_in_one.

Without arguments it runs on a feed of its own making and serves prices over HTTP. With --input it reads raw messages
from files; with --once it stops when they are through; with --export it leaves every table as parquet.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import App, Parameter
from rich.console import Console

from application.commands.load import LoadRaw
from application.consume import Stopped
from application.pipeline import STAGES
from application.ports.raw_source import STANDARD_INPUT, BadInput, Lines, called
from application.queries.readiness import CheckReadiness
from domain.bronze.raw_event import RawEvents
from domain.errors import DataprocError
from entrypoints.admin.app import build_app
from entrypoints.admin.drain import Drain
from entrypoints.admin.quiet import feed_routes, quiet_routes
from entrypoints.admin.serving import Stopping, address_of, attend, listen, serve
from entrypoints.container import Container, Profile, say, service_version
from entrypoints.environment import settings_or_exit
from entrypoints.exits import BAD_USAGE, DONE, FAILED
from entrypoints.exporting import Tally, count, export
from entrypoints.manifests import manifest
from entrypoints.progress import Progress
from entrypoints.refinery import Refinery
from entrypoints.samples.stream import SampleFeed
from entrypoints.settings import BadSettings
from entrypoints.summary import refused_any, show, summary_of

PARTLY, INTERRUPTED = 3, 130

WIDTH = 100
"""Columns of a summary that goes to a file or a pipe."""

HISTORY = timedelta(hours=3)
"""How much of its past the sample feed sends at once."""

app = App(
    name="python -m entrypoints.all_in_one",
    help=__doc__,
    help_epilogue="""
Examples:

  python -m entrypoints.all_in_one
      the sample feed, served on http://127.0.0.1:8203

  python -m entrypoints.all_in_one --input raw/*.jsonl.gz --once --export out
      files in, parquet tables out

  zcat raw.jsonl.gz | python -m entrypoints.all_in_one --input - --once --export out --json
      from standard input, with a summary for machines
""",
    result_action="return_value",
)


@app.default
def run(
    *,
    input: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,  # noqa: A002  (its name on the command line)
    once: bool = False,
    export: Path | None = None,
    as_new: bool = False,
    json: bool = False,
    demo: bool = False,
    seconds: float | None = None,
    data_dir: Path | None = None,
) -> int:
    """
    Run all stages in one process.

    Args:
        input: Files of raw messages as JSON lines, plain or gzip; - is standard input. Without it, the sample feed.
        once: Stop when the input is through; otherwise go on serving.
        export: Folder to write every table into as parquet, with outcomes and summary.json, once the input is through.
        as_new: Give every line a fresh offset: the same file again is then a re-delivery of everything.
        json: Print the summary as JSON, and no progress.
        demo: Run on the sample feed, which is what happens without --input too.
        seconds: Stop serving after this many seconds.
        data_dir: Keep everything in this folder: after any end, the same command goes on where it stopped.

    Returns:
        0 done, 2 bad usage or configuration, 3 done but some messages or rows are dead letters, of
        earlier loads into data_dir too, 130 interrupted.
    """
    if problem := _misuse(input, demo=demo, ends=once or export is not None):
        return _refuse(problem)
    container = Container(
        settings=settings_or_exit("254carbon-all-in-one"),
        record_outcomes=bool(input) and (export is not None or data_dir is not None),
        profile=(Profile.EMBEDDED if data_dir else Profile.MEMORY).value,
        data_dir=data_dir,
    )
    try:
        door = AllInOne(container, once=once, export=export, as_new=as_new, json=json, seconds=seconds)
        return door.load(input) if input else door.demo()
    except (BadInput, BadSettings) as error:
        return _refuse(str(error))
    except (DataprocError, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return FAILED


def _misuse(paths: list[str] | None, *, demo: bool, ends: bool) -> str:
    """What can't be meant; empty where all is well."""
    if demo and paths:
        return "--demo runs on the sample feed and --input on files; give one of them"
    if paths == []:
        return "--input names no file; put at least one after it, - for standard input, or leave it out for the sample feed"
    if ends and not paths:
        return "--once and --export end with an input; name one with --input FILE"
    missing = [path for path in paths or () if not Path(path).exists()]
    return f"there is no file {', '.join(missing)}; check the path" if missing else ""


def _refuse(problem: str) -> int:
    print(problem, file=sys.stderr)
    return BAD_USAGE


@attrs.define
class AllInOne:
    """One run of the program."""

    container: Container
    once: bool
    export: Path | None
    as_new: bool
    json: bool
    seconds: float | None
    durable: bool = attrs.field(init=False, default=False)
    """Whether anything outlives the process."""
    _stopping: Stopping = attrs.field(init=False, factory=Stopping)
    _refinery: Refinery = attrs.field(init=False)
    _began_s: float = attrs.field(init=False, factory=time.monotonic)

    def __attrs_post_init__(self) -> None:
        # Latest prices come before bars: a turn that computes many bars anew keeps them waiting least.
        stages = (self.container.normalize, self.container.enrich, self.container.project, self.container.aggregate)
        self.durable = self.container.profile() != Profile.MEMORY.value
        if self.durable:
            self.container.log()
            self.container.migrator().up()
            self._reference_loaded()
        loops = [
            self.container.loop(
                stage=stage(),
                group=f"all-in-one-{stage().name}",
                stopping=self._stopping.asked.is_set,
                meanwhile=self._duties(stage().name),
            )
            for stage in stages
        ]
        self._refinery = Refinery(loops, self.container.settings().max_batch_size)

    def _duties(self, stage: str) -> list[Callable[[], None]]:
        """What a stage does beside. Where nothing outlives the process, nothing can come to lag behind another."""
        if stage == "projection":
            return [self.container.reconcile()] if self.durable else []
        return [self.container.feeds().notice] if stage == "aggregation" else []

    def _reference_loaded(self) -> None:
        """Bring the folder's reference data to be; what is loaded there counts, whatever files are named later."""
        self.container.sql_migrator().up()
        if not self.container.load_starter_set()() and self.container.settings().reference_dir:
            self.container.journal().warning(
                "DATA_PROC_REFERENCE_DIR counts only where nothing is loaded yet, and this folder has its reference data; "
                "change it with dataproc reference load --data-dir"
            )

    def load(self, paths: list[str]) -> int:
        """Load files; then export, stop or go on serving."""
        source = self.container.raw_lines(paths, stopping=self._stopping.asked.is_set)
        if self.export:
            self.container.refuse_to_replace()(self.export)
        if not self.once:
            return self._serve(lambda: self._loaded(source, paths))
        try:
            return attend(lambda: self._loaded(source, paths), self._stopping, self._drain(INTERRUPTED))
        except Stopped as error:
            print(f"stopped while a store was away ({error})", file=sys.stderr)
            return self._interrupted(0, paths)

    def demo(self) -> int:
        """Run on the sample feed until stopped."""
        return self._serve(self._sample)

    def _loaded(self, source: Any, paths: list[str]) -> int:
        load = LoadRaw(source, self.container.log(), self.container.clock(), self.as_new)
        self._refinery.start()
        with Progress(silent=self.json) as progress:
            for _ in load.batches(self.container.settings().max_batch_size):
                self._refinery.keep_up()
                progress.tell(load.read, "loading")
                if self._stopping.asked.is_set():
                    return self._interrupted(load.read, paths)
            self._refinery.drain(self._stopping.asked.is_set)
            if self._stopping.asked.is_set():
                return self._interrupted(load.read, paths)
            progress.tell(load.read, "finishing")
            self._refinery.finish()
        return self._reported(load)

    def _reported(self, load: LoadRaw) -> int:
        took_s = time.monotonic() - self._began_s
        tally = export(self.container, self.export, load.ids, _summary) if self.export else count(self.container)
        summary = _summary(tally)
        self._tell(summary, tally.rows, took_s, load)
        return PARTLY if refused_any(summary) else DONE

    def _tell(self, summary: dict[str, Any], rows: Mapping[str, int], took_s: float, load: LoadRaw) -> None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
        if self.json:
            console.print_json(data={**summary, "rows": rows, "seconds": round(took_s, 3), "skipped": load.skipped})
            return
        show(summary, rows, load.read, took_s, console)
        if load.skipped:
            console.print(f"{load.skipped:,} messages were in the log already and skipped; --as-new loads them again")
        if self.export:
            console.print(f"tables are in {self.export}")

    def _interrupted(self, read: int, paths: list[str]) -> int:
        if self.durable:
            print(
                f"stopped after {read:,} messages; what was read is kept. Run the same command again and it goes on; "
                "what is in the log already is skipped.",
                file=sys.stderr,
            )
            return INTERRUPTED
        inputs = ", ".join(map(called, paths))
        print(
            f"stopped after {read:,} messages. Nothing was exported, and this profile keeps nothing on disk: "
            f"run the same command again ({inputs}) and it starts from the beginning.",
            file=sys.stderr,
        )
        return INTERRUPTED

    def _sample(self) -> int:
        feed = SampleFeed.since(datetime.now(UTC) - HISTORY)
        load = LoadRaw(_Sample(feed, self._stopping.asked), self.container.log(), self.container.clock())
        self._refinery.start()
        with Progress(silent=self.json) as progress:
            for _ in load.batches(self.container.settings().max_batch_size):
                self._refinery.keep_up()
                progress.tell(load.read, "sample feed")
        return DONE

    def _pump(self, work: Callable[[], int]) -> None:
        """Do the work, then let time pass for the stages until somebody stops it."""
        try:
            work()
            while not self._stopping.asked.is_set():
                if not self._refinery.turn():
                    self._stopping.asked.wait(self.container.settings().linger_s)
        except Stopped:
            return

    def _serve(self, work: Callable[[], int]) -> int:
        """Answer over HTTP while the work is done by a thread of its own."""
        settings = self.container.settings()
        listening = listen(settings.host, settings.port)
        _welcome(address_of(listening))
        watchdog, drain = self.container.watchdog(), self._drain(DONE)
        serve(self._app(), listening, lambda: self._pump(work), self._stopping, watchdog, drain, seconds=self.seconds)
        return DONE

    def _drain(self, status: int) -> Drain:
        return self.container.drain(trouble=lambda: self._refinery.trouble, status=status)

    def _app(self) -> Any:
        ready = CheckReadiness({"stages": lambda: not self._refinery.trouble})
        about = manifest("all-in-one", STAGES, self.container.settings().bar_intervals, service_version(), ())
        further = [quiet_routes(self.container.gaps(), self.container.seal()), feed_routes(self.container.feeds())]
        return build_app(
            self.container.latest_prices(),
            self.container.bars(),
            ready,
            self.container.meter().exposition,
            about,
            further,
        )


@attrs.frozen
class _Sample:
    """The sample feed as a raw source: what is due now, and again, until somebody stops it."""

    feed: SampleFeed
    stopping: threading.Event
    pause_s: float = 0.2

    def lines(self, at_most: int) -> Iterator[Lines]:
        """What has arrived since, at least every `pause_s`."""
        while not self.stopping.is_set():
            yield self._lines(at_most)
            self.stopping.wait(self.pause_s)

    def _lines(self, at_most: int) -> Lines:
        due = self.feed.due(datetime.now(UTC), at_most)
        events = RawEvents(
            topics=[sample.topic for sample in due],
            partitions=[sample.partition for sample in due],
            offsets=[-1] * len(due),
            timestamps_us=[sample.timestamp_ms * 1000 for sample in due],
            values=[sample.value for sample in due],
        )
        return Lines(events, {}, ["the sample feed"] * len(due), [False] * len(due))


def _summary(tally: Tally) -> dict[str, Any]:
    return summary_of(tally.ledger, tally.silver)


def _welcome(at: str) -> None:
    """Say where to look."""
    say(
        f"serving on {at}",
        f"  latest prices  {at}/v1/latest",
        f"  one price      {at}/projections/latest_price?instrument_id=MISO.LMP.RT.INDIANA.HUB",
        f"  bars           {at}/v1/bars?instrument_id=MISO.LMP.RT.INDIANA.HUB&interval=5m",
        f"  all answers    {at}/schema",
        f"  metrics        {at}/metrics",
        "Ctrl-C stops it",
    )


def main(arguments: Sequence[str]) -> int:
    """Run with these arguments. A lone hyphen is standard input, which cyclopts would take for an option."""
    code: int = app([STANDARD_INPUT if argument == "-" else argument for argument in arguments])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
