"""What everybody promises who keeps the logic epoch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.memory.logic_epoch import MemoryLogicEpoch
from adapters.sql.logic_epoch import SqlLogicEpoch
from application.ports.logic_epoch import LogicEpoch
from tests.support.databases import KINDS, reference_database


class LogicEpochContract:
    """Inherited by the suite of each adapter, which says how to make one in which nothing is marked."""

    @pytest.fixture
    def epoch(self) -> LogicEpoch:
        raise NotImplementedError

    def test_where_none_is_marked_it_is_zero(self, epoch: LogicEpoch) -> None:
        assert epoch.highest() == 0

    def test_the_highest_mark_counts_in_whatever_order(self, epoch: LogicEpoch) -> None:
        for one in (2, 7, 3):
            epoch.mark(one)
        assert epoch.highest() == 7

    def test_a_mark_may_be_repeated(self, epoch: LogicEpoch) -> None:
        epoch.mark(2)
        epoch.mark(2)
        assert epoch.highest() == 2


class TestMemoryLogicEpoch(LogicEpochContract):
    @pytest.fixture
    def epoch(self) -> LogicEpoch:
        return MemoryLogicEpoch()


class TestSqlLogicEpoch(LogicEpochContract):
    @pytest.fixture(params=KINDS)
    def epoch(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogicEpoch]:
        with reference_database(request.param, tmp_path) as database:
            yield SqlLogicEpoch(database)
