"""What every kind of test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from tests.support.measuring import unmeasured
from tests.support.skipped import told

BESIDE_THE_REPOSITORY = Path(__file__).parents[1].parent / "shared"


settings.register_profile("unhurried", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
"""A busy machine breaks no property; half the usual examples are drawn, others each time but in CI."""

LONGEST_FIRST = ("tests/e2e/crash", "tests/e2e", "tests/simulation", "tests/integration")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that of several workers none is left with it at the end."""
    items.sort(key=lambda item: next((n for n, part in enumerate(LONGEST_FIRST) if part in str(item.path)), 9))
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)) or _runs_whole_programs(item.path):
            item.add_marker(pytest.mark.no_cover)


WHOLE_PROGRAMS = ("tests/e2e", "tests/simulation", "tests/performance", "tests/oracle")


def _runs_whole_programs(path: Path) -> bool:
    """Whether its tests, like properties, run the same lines hundreds of times: measured they take much longer, and examples reach every line."""
    return any(part in str(path) for part in WHOLE_PROGRAMS)


@pytest.fixture(scope="module", autouse=True)
def _processes_of_whole_programs_are_unmeasured(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if _runs_whole_programs(request.path):
            for name in os.environ.keys() - unmeasured().keys():
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The acceptance data beside the repository; tests on it are skipped where it is absent, but never with CI=true."""
    data = Path(os.environ.get("DATA_PROC_SHARED", BESIDE_THE_REPOSITORY)) / "data"
    if not data.is_dir() and os.environ.get("CI") != "true":
        pytest.skip(f"the acceptance data is not there: put it at {data}, or say where it is with DATA_PROC_SHARED")
    assert data.is_dir(), f"CI=true needs the acceptance data at {data}, or DATA_PROC_SHARED saying where it is"
    return data


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, and what adds it: a green run that skipped must not look like a whole one."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} tests were not run here", sep="-")
        for line in told(skipped):
            terminalreporter.line(line)
        terminalreporter.line("make services-install puts the servers in place; make test then runs theirs too")
