"""While the catalog can't be asked: new ticks wait for it, and no longer than enrichment is patient."""

import attrs
import polars as pl

from tests.simulation.checking import UNSAID, Watcher, require

PATIENCE_S = 60.0
"""Enrichment's, when it is given no other."""
SLACK_S = 20.0
"""Twice the longest wait between two tries."""


@attrs.frozen
class Outage:
    """From when until when the catalog is away, in virtual time; never, where the two are the same."""

    watcher: Watcher
    since_s: float
    until_s: float

    def holds(self) -> bool:
        """Whether it is away now."""
        return self.since_s <= self.watcher.now_s() < self.until_s

    def told(self, rows: pl.DataFrame) -> None:
        """Ticks are announced: of none was the answer given up before its time."""
        unanswered = (rows["metadata_version"] == 0).any()
        too_early = self.since_s < self.until_s and self.watcher.now_s() < self.since_s + PATIENCE_S
        require(not (unanswered and too_early), "outage", lambda: "ticks go on without the catalog before their time")

    def nearly_over(self) -> None:
        """Ticks that came long enough ago have gone on."""
        long_ago_s = self.watcher.now_s() - PATIENCE_S - SLACK_S
        for records in self.watcher.normalized.values():
            for heard in records.values():
                gone_on = self.watcher.statements["told of enriched_ticks"].get(heard.key, UNSAID) >= heard.statement
                waits = heard.at_s <= long_ago_s and not gone_on
                require(not waits, "outage", lambda: f"{heard} still waits for the catalog")  # noqa: B023
