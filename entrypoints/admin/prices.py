"""Answers about prices. Source: contracts.md §5."""

from collections.abc import Sequence
from typing import Any

from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import SkipValidation

from application.queries.latest_price import FindLatestPrice
from domain.gold.taxonomy import InstrumentKey
from domain.served.latest_price import LatestPrice
from entrypoints.admin import parameters as asked
from entrypoints.admin.answers import ExactJson, LatestAnswer, LatestAnswers, Problem, Projection

Prices = NamedDependency[SkipValidation[FindLatestPrice]]

LATEST_PRICE = "latest_price"
REFUSALS = {
    400: ResponseSpec(Problem, description="A parameter can't be used; the text names it."),
    404: ResponseSpec(Problem, description="There is nothing of that name."),
    503: ResponseSpec(Problem, description="A store can't be reached; ask again."),
}


@get("/projections/latest_price", sync_to_thread=True, responses=REFUSALS)
def latest_price(
    instrument_id: asked.Instrument, prices: Prices, tenant_id: asked.Tenant = "default"
) -> ExactJson[Projection]:
    """The latest price of one instrument."""
    found = _found(prices, asked.key(tenant_id, instrument_id))
    return ExactJson(Projection.of(found, LATEST_PRICE))


@get("/projections/curve_snapshot", sync_to_thread=False, responses=REFUSALS)
def curve_snapshot(
    instrument_id: asked.Instrument, horizon: asked.Horizon = "ALL", tenant_id: asked.Tenant = "default"
) -> ExactJson[Projection]:
    """The latest snapshot of a curve. None is built yet, so there is none to be found."""
    key, ahead = asked.key(tenant_id, instrument_id), asked.horizon(horizon)
    raise NotFoundException(
        detail=f"there is no curve {key.instrument_id} with horizon {ahead}: no curves are built yet"
    )


@get("/projections/custom", sync_to_thread=True, responses=REFUSALS)
def custom(
    instrument_id: asked.Instrument,
    projection_type: asked.ProjectionType,
    prices: Prices,
    tenant_id: asked.Tenant = "default",
) -> ExactJson[Projection]:
    """A projection by its name. So far `latest_price` is the only one."""
    key, named = asked.key(tenant_id, instrument_id), asked.projection_type(projection_type)
    if named != LATEST_PRICE:
        raise NotFoundException(detail=f"there is no projection {named}; there is {LATEST_PRICE}")
    return ExactJson(Projection.of(_found(prices, key), named))


@get("/v1/latest", sync_to_thread=True, responses=REFUSALS)
def latest(
    prices: Prices,
    tenant_id: asked.Tenant = "default",
    instrument_id: asked.AnyInstrument = None,
    market: asked.Market = None,
    limit: asked.Limit = str(asked.SOME_ROWS),
    consistency: asked.Consistency = "eventual",
) -> ExactJson[LatestAnswers]:
    """Latest prices: of one instrument, or the first of all or of one market by instrument_id."""
    owner, strong = asked.tenant(tenant_id), asked.strong(consistency)
    some, rows = asked.market(market), asked.limit(limit)
    if instrument_id is None:
        return _answer(prices.listed(owner, some, rows))
    if some:
        raise asked.BadParameter("market can't be combined with instrument_id; leave one of them out")
    return _answer([_found(prices, asked.key(tenant_id, instrument_id), strong=strong)])


def _found(prices: FindLatestPrice, key: InstrumentKey, *, strong: bool = False) -> LatestPrice:
    found = prices(key, strong=strong)
    if found is None:
        raise NotFoundException(detail=f"tenant {key.tenant_id} has no price of {key.instrument_id}")
    return found


def _answer(prices: Sequence[LatestPrice]) -> ExactJson[LatestAnswers]:
    return ExactJson(LatestAnswers([LatestAnswer.of(price) for price in prices]))


def price_routes(prices: FindLatestPrice) -> Router:
    """The routes of this file, answering from this query."""
    dependencies: dict[str, Any] = {"prices": Provide(lambda: prices, sync_to_thread=False)}
    return Router(
        "/", route_handlers=[latest_price, curve_snapshot, custom, latest], dependencies=dependencies, tags=["prices"]
    )
