"""What every source of feed policies promises."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from adapters.memory.policies import MemoryPolicies
from adapters.sql.policies import SqlPolicies
from application.ports.errors import SchemaBehind
from application.ports.policies import Policies
from domain.silver.feed import FeedPolicy, Label
from tests.support.databases import KINDS, loaded, reference_database

FEEDS = """
patience: {fast: {lateness_s: 600, idle_s: 900}, slow: {lateness_s: 7200, idle_s: 3600}}
clocks: {est: Etc/GMT+5, utc: UTC}
feeds:
  - {market: X, types: [lmp, as], runs: [RT, ""], clock: est, label: end, interval_s: 300, naive: true, horizon_s: 300, patience: fast}
  - {market: X, types: [lmp], runs: ["*"], clock: utc, label: day, horizon_s: 86400, patience: slow, assumed: true}
"""
RT = FeedPolicy(
    market="X",
    data_type="lmp",
    market_run="RT",
    clock="Etc/GMT+5",
    label=Label.END,
    interval_s=300,
    naive_by_policy=True,
    horizon_s=300,
    lateness_s=600,
    idle_s=900,
)
ANY_RUN = FeedPolicy(
    market="X", data_type="lmp", label=Label.DAY, horizon_s=86400, lateness_s=7200, idle_s=3600, assumed=True
)


class PoliciesContract:
    """Inherited by the suite of each adapter, which says how to make policies of the feeds above."""

    @pytest.fixture
    def policies(self) -> Policies:
        raise NotImplementedError

    def test_a_feed_is_read_as_it_was_written(self, policies: Policies) -> None:
        assert policies.feeds().find("X", "lmp", "RT") == RT

    def test_what_is_left_out_has_its_default(self, policies: Policies) -> None:
        assert policies.feeds().find("X", "lmp", "NEVER HEARD OF") == ANY_RUN

    def test_nothing_is_added_and_nothing_lost(self, policies: Policies) -> None:
        known = {(one.data_type, one.market_run) for one in policies.feeds().policies}
        assert known == {("lmp", "RT"), ("lmp", ""), ("as", "RT"), ("as", ""), ("lmp", "*")}


def written(folder: Path) -> Path:
    (folder / "feeds.yaml").write_text(FEEDS, encoding="utf-8")
    return folder


class TestMemoryPolicies(PoliciesContract):
    @pytest.fixture
    def policies(self, tmp_path: Path) -> Policies:
        return MemoryPolicies.from_files(written(tmp_path))


class TestSqlPolicies(PoliciesContract):
    @pytest.fixture(params=KINDS)
    def policies(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Policies]:
        with reference_database(request.param, tmp_path) as database:
            yield SqlPolicies(loaded(database, written(tmp_path) / "feeds.yaml"))

    def test_a_database_without_feeds_is_refused_with_the_command_to_run(self, tmp_path: Path) -> None:
        with reference_database("sqlite", tmp_path) as database:
            with pytest.raises(SchemaBehind, match=r"no feed policy is loaded.* run `dataproc reference load`"):
                SqlPolicies(database).feeds()
            assert SqlPolicies(loaded(database, written(tmp_path) / "feeds.yaml")).feeds().find("X", "lmp", "RT") == RT

    def test_a_change_counts_from_the_next_start(self, tmp_path: Path) -> None:
        file = written(tmp_path) / "feeds.yaml"
        with reference_database("sqlite", tmp_path) as database:
            running = SqlPolicies(loaded(database, file))
            before = running.feeds()
            file.write_text(FEEDS.replace("interval_s: 300", "interval_s: 600"))
            started_after = SqlPolicies(loaded(database, file)).feeds().find("X", "lmp", "RT")

            assert running.feeds() == before
            assert started_after == attrs.evolve(RT, interval_s=600)
