"""The refinery as a user runs it: one command, files in, tables out."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs
import pytest

from tests.e2e.programs import ROOT

CLEAN = 0
WITH_DEAD_LETTERS = 3


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
        program = [sys.executable, "-m", "entrypoints.all_in_one", "--once", "--export", str(export), *options]
        given = [argument for path in inputs for argument in ("--input", str(path))]
        environment = os.environ | {"POLARS_MAX_THREADS": "1"} | dict(settings or {})
        ended = subprocess.run(
            [*program, *given],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        load = Load(export, ended.returncode, ended.stdout + ended.stderr)
        assert load.code in {CLEAN, WITH_DEAD_LETTERS}, load.said
        return load

    return run
