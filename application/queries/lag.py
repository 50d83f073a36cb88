"""
How far every stage has come, and whether all is done.

Position and floor differ: a stage has performed everything before its position, and a restart resumes from its floor,
which open windows hold back. Lag is counted from the position, which is moved over offsets that hold no record: the log
keeps some for itself, and some are gone before a stage ever read.
"""

from collections.abc import Callable, Iterator, Sequence

import attrs

from application.pipeline import StageMap
from application.ports.event_log import EventLog, Progress, TopicPartition


@attrs.frozen(kw_only=True)
class PartitionLag:
    """One stage on one partition."""

    stage: str
    topic: str
    partition: int
    position: int | None
    """The offset after the last record performed; None where the stage never committed."""
    floor: int | None
    """The offset from which a restart resumes."""
    end: int
    """The offset the next record will get."""
    owed: int
    """Ticks of open windows, and windows asked for anew, whose bars are still to be announced."""
    begin: int = 0
    """The first record there is; looked for where the stage never committed."""

    @property
    def where(self) -> TopicPartition:
        """The partition."""
        return TopicPartition(self.topic, self.partition)

    @property
    def lag(self) -> int:
        """Records not performed yet."""
        return max(0, self.end - (self.begin if self.position is None else self.position))


@attrs.frozen
class ReadLag:
    """Reads how far every stage has come."""

    log: EventLog
    stages: Sequence[StageMap]
    """In the order in which facts pass through them."""
    group_of: Callable[[str], str]
    """The consumer group of a stage, by its name."""

    def __call__(self) -> list[PartitionLag]:
        """
        Read positions, floors and ends of all stages, upstream stages first.

        Of each stage the progress is read before the ends, and what it announced was announced before it committed. So
        where every lag is 0, nothing was under way between the stages either.

        Raises:
            Retryable: The log can't be reached.
        """
        return [row for stage in self.stages for row in self._of(stage)]

    def _of(self, stage: StageMap) -> Iterator[PartitionLag]:
        progress = self.log.progress(self.group_of(stage.name), stage.consumes)
        ends = self.log.end_offsets(stage.consumes)
        rows = [_row(stage.name, where, progress.get(where), end) for where, end in ends.items()]
        stands = self.log.next_records({row.where: row.position for row in rows if row.lag})
        moved = [_moved(row, stands[row.where]) if row.where in stands else row for row in rows]
        yield from sorted(moved, key=lambda row: (stage.consumes.index(row.topic), row.partition))


def _row(stage: str, where: TopicPartition, come: Progress | None, end: int) -> PartitionLag:
    return PartitionLag(
        stage=stage,
        topic=where.topic,
        partition=where.partition,
        position=come.position if come else None,
        floor=come.floor if come else None,
        end=end,
        owed=come.owed if come else 0,
    )


def _moved(row: PartitionLag, stands: int) -> PartitionLag:
    """Over offsets that hold no record."""
    return attrs.evolve(row, begin=stands) if row.position is None else attrs.evolve(row, position=stands)


def all_done(rows: Sequence[PartitionLag]) -> bool:
    """Whether every stage has performed all there is, and owes nothing: no open request, no bar unannounced."""
    return all(row.lag == 0 and row.owed == 0 for row in rows)
