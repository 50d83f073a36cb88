"""The refinery as a user runs it: one command, files in, tables out."""

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import attrs
import pytest

from entrypoints.all_in_one import main
from tests.e2e.programs import done

CLEAN = 0
WITH_DEAD_LETTERS = 3
ON_DISK = "--data-dir"


@attrs.frozen
class Load:
    """What one run left behind."""

    export: Path
    code: int
    said: str


LoadFiles = Callable[..., Load]


@pytest.fixture
def load(tmp_path: Path) -> LoadFiles:
    """Load files into an empty refinery, drain them, and export its tables."""

    def run(inputs: Iterable[Path], *options: str, settings: Mapping[str, str] | None = None) -> Load:
        export = tmp_path / "export"
        given = [argument for path in inputs for argument in ("--input", str(path))]
        arguments = ["--once", "--export", str(export), *options, *given]
        code, said = (alone if ON_DISK in options else here)(arguments, tmp_path / "log", settings or {})
        assert code in {CLEAN, WITH_DEAD_LETTERS}, said
        return Load(export, code, said)

    return run


def here(arguments: list[str], _: Path, settings: Mapping[str, str]) -> tuple[int, str]:
    """Run in this process, which has the program at hand."""
    told = StringIO()
    with pytest.MonkeyPatch.context() as patch, signals_as_before(), redirect_stdout(told), redirect_stderr(told):
        for name, value in settings.items():
            patch.setenv(name, value)
        return main(arguments), told.getvalue()


def alone(arguments: list[str], log: Path, settings: Mapping[str, str]) -> tuple[int, str]:
    """Run in a process of its own: ClickHouse opens one folder a process."""
    code = done("entrypoints.all_in_one", *arguments, log=log, settings=settings)
    return code, log.read_text()


@contextmanager
def signals_as_before() -> Iterator[None]:
    """Whatever is done with them meanwhile."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, taken in before.items():
            signal.signal(number, taken)
