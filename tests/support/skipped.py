"""What a run of the tests left out, and what would bring it in."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Protocol

LONGEST_REASON = 200


class Report(Protocol):
    """A skipped test, as pytest tells of it."""

    @property
    def nodeid(self) -> str:
        """Its file and name."""

    @property
    def longrepr(self) -> object:
        """Why it was left out."""


def told(reports: Iterable[Report]) -> list[str]:
    """
    Lines for a person: each reason with its command, then the files of the tests it left out and how many they are.

    Args:
        reports: Of skipped tests; `longrepr` is a file, a line and a reason.
    """
    files: dict[str, Counter[str]] = defaultdict(Counter)
    for report in reports:
        files[_reason(report)][report.nodeid.partition("::")[0]] += 1
    return [
        line
        for reason, counted in sorted(files.items())
        for line in (reason, *(f"    {file}: {_tests(count)}" for file, count in sorted(counted.items())))
    ]


def _reason(report: Report) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    lines = str(said).removeprefix("Skipped: ").splitlines() or ["no reason was given"]
    return lines[0][:LONGEST_REASON]


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
