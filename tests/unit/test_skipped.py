"""The end of a test run names what it left out, and the command that adds it."""

import attrs

from tests.support.skipped import told

KAFKA = "Skipped: kafka is not there: java is not installed; run make services-install\nand more"
DATA = "Skipped: the shared acceptance data is absent"


@attrs.frozen
class Skipped:
    nodeid: str
    longrepr: object


def test_each_reason_is_told_once_with_the_files_it_left_out() -> None:
    reports = [
        Skipped("tests/b.py::test_one", ("tests/support/services.py", 56, KAFKA)),
        Skipped("tests/b.py::TestMany::test_two[kafka]", ("tests/support/services.py", 56, KAFKA)),
        Skipped("tests/a.py::test_three", ("tests/support/services.py", 56, KAFKA)),
        Skipped("tests/c.py::test_four", DATA),
        Skipped("tests/d.py::test_five", ""),
    ]

    assert told(reports) == [
        "kafka is not there: java is not installed; run make services-install",
        "    tests/a.py: 1 test",
        "    tests/b.py: 2 tests",
        "no reason was given",
        "    tests/d.py: 1 test",
        "the shared acceptance data is absent",
        "    tests/c.py: 1 test",
    ]


def test_nothing_skipped_is_nothing_told() -> None:
    assert told([]) == []
