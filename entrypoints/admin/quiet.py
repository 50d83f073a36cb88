"""Answers about silence: which feeds speak, up to where instruments are closed, and where bars are missing."""

from datetime import datetime
from typing import Any, Self

import attrs
import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import SkipValidation

from application.queries.feeds import FeedState, ReadFeeds
from application.queries.gaps import FindGaps, UnknownInstrument
from application.queries.seals import FindSeal
from domain.gold.gap import Gap, TooLong
from entrypoints.admin import parameters as asked
from entrypoints.admin.answers import ExactJson
from entrypoints.admin.prices import REFUSALS

Feeds = NamedDependency[SkipValidation[ReadFeeds]]
Gaps = NamedDependency[SkipValidation[FindGaps]]
Seals = NamedDependency[SkipValidation[FindSeal]]


class FeedAnswer(msgspec.Struct):
    """One feed on one partition of the tick topic."""

    tenant_id: str
    source_id: str
    partition: int
    watermark: datetime | None
    heard_at: datetime
    lateness_s: float
    idle_s: float
    state: str

    @classmethod
    def of(cls, feed: FeedState) -> Self:
        """What is known of a feed."""
        return cls(**attrs.asdict(feed))


class FeedAnswers(msgspec.Struct):
    """The feeds of a tenant that this process hears, by source and partition."""

    tenant_id: str
    feeds: list[FeedAnswer]


class SealAnswer(msgspec.Struct):
    """Up to where an instrument's windows are closed; null where none of them was ever."""

    tenant_id: str
    instrument_id: str
    sealed_until: datetime | None
    partition: int | None


class GapAnswer(msgspec.Struct):
    """Adjacent periods without a bar."""

    start: datetime
    end: datetime
    bars: int
    reason: str

    @classmethod
    def of(cls, gap: Gap) -> Self:
        """A gap."""
        return cls(**attrs.asdict(gap))


class GapAnswers(msgspec.Struct):
    """The gaps of one instrument, ascending."""

    tenant_id: str
    instrument_id: str
    interval: str
    gaps: list[GapAnswer]


@get("/v1/feeds", sync_to_thread=True, responses=REFUSALS)
def feeds(heard: Feeds, tenant_id: asked.Tenant = "default") -> ExactJson[FeedAnswers]:
    """Feeds that this process hears, or heard: watermark, allowed lateness, and whether they are live or silent."""
    owner = asked.tenant(tenant_id)
    return ExactJson(FeedAnswers(owner, [FeedAnswer.of(feed) for feed in heard(owner)]))


@get("/v1/seals", sync_to_thread=True, responses=REFUSALS)
def seals(
    find_seal: Seals, instrument_id: asked.Instrument, tenant_id: asked.Tenant = "default"
) -> ExactJson[SealAnswer]:
    """Up to where one instrument is closed: a tick of earlier windows is late and revises their bars."""
    key = asked.key(tenant_id, instrument_id)
    found = find_seal(key)
    until, partition = (found.sealed_until, found.partition) if found else (None, None)
    return ExactJson(SealAnswer(*key, until, partition))


@get("/v1/gaps", sync_to_thread=True, responses=REFUSALS)
def gaps(
    find_gaps: Gaps,
    instrument_id: asked.Instrument,
    interval: asked.Interval,
    tenant_id: asked.Tenant = "default",
    start: asked.From = None,
    end: asked.To = None,
) -> ExactJson[GapAnswers]:
    """Periods of one instrument without a bar: `NO_TRADES` where its feed spoke meanwhile, else `FEED_GAP`."""
    key = asked.key(tenant_id, instrument_id)
    length = asked.one_of("interval", interval, [each.name for each in find_gaps.intervals.all])
    first, after = asked.period(start, end)
    if first is None:
        raise asked.BadParameter("from is needed: gaps have no beginning of their own")
    try:
        found = find_gaps(key, length, first, after)
    except UnknownInstrument as error:
        raise NotFoundException(detail=str(error)) from error
    except TooLong as error:
        raise asked.BadParameter(f"from and to: {error}") from error
    return ExactJson(GapAnswers(*key, length, [GapAnswer.of(gap) for gap in found]))


def quiet_routes(find_gaps: FindGaps, find_seal: FindSeal) -> Router:
    """The routes that answer from tables."""
    dependencies: dict[str, Any] = {
        "find_gaps": Provide(lambda: find_gaps, sync_to_thread=False),
        "find_seal": Provide(lambda: find_seal, sync_to_thread=False),
    }
    return Router("/", route_handlers=[gaps, seals], dependencies=dependencies, tags=["bars"])


def feed_routes(heard: ReadFeeds) -> Router:
    """The route that answers from what this process hears."""
    dependencies: dict[str, Any] = {"heard": Provide(lambda: heard, sync_to_thread=False)}
    return Router("/", route_handlers=[feeds], dependencies=dependencies, tags=["feeds"])
