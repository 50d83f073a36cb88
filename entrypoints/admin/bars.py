"""Answers about bars."""

from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from application.queries.bars import FindBars
from entrypoints.admin import parameters as asked
from entrypoints.admin.answers import BarAnswer, BarsAnswer, ExactJson
from entrypoints.admin.prices import REFUSALS

Bars = NamedDependency[SkipValidation[FindBars]]


@get("/v1/bars", sync_to_thread=True, responses=REFUSALS)
def bars(
    find: Bars,
    instrument_id: asked.Instrument,
    interval: asked.Interval,
    tenant_id: asked.Tenant = "default",
    start: asked.From = None,
    end: asked.To = None,
    limit: asked.Limit = str(asked.SOME_ROWS),
    consistency: asked.Consistency = "eventual",
) -> ExactJson[BarsAnswer]:
    """The newest bars of one instrument that begin within [from, to), ascending."""
    key, rows = asked.key(tenant_id, instrument_id), asked.limit(limit)
    length = asked.one_of("interval", interval, find.intervals)
    asked.strong(consistency)
    found = find(key, length, *asked.period(start, end), rows)
    return ExactJson(BarsAnswer(*key, length, [BarAnswer.of(bar) for bar in found]))


def bar_routes(find: FindBars) -> Router:
    """The routes of this file, answering from this query."""
    dependencies: dict[str, Any] = {"find": Provide(lambda: find, sync_to_thread=False)}
    return Router("/", route_handlers=[bars], dependencies=dependencies, tags=["bars"])
