"""
The HTTP application: it is given queries, and knows no store.

Every refusal is `{"error": …}`; a parameter that is unknown, given twice or unusable is a 400 that names it.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import QueryParameter

from application.ports.errors import Retryable
from application.queries.bars import FindBars
from application.queries.latest_price import FindLatestPrice
from application.queries.readiness import CheckReadiness
from entrypoints.admin import documents
from entrypoints.admin.answers import ExactJson, Problem
from entrypoints.admin.bars import bar_routes
from entrypoints.admin.health import Exposition, health_routes
from entrypoints.admin.parameters import LONGEST_QUERY_BYTES, BadParameter
from entrypoints.admin.prices import price_routes

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": documents.POLICY,
}

_log = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]


def build_app(
    latest_prices: FindLatestPrice,
    bars: FindBars,
    readiness: CheckReadiness,
    metrics: Exposition,
    about: Mapping[str, Any],
    further: Sequence[Router] = (),
) -> Litestar:
    """
    Put the application together.

    Args:
        latest_prices: Answers about prices.
        bars: Answers about bars.
        readiness: What the service needs.
        metrics: Gives all metrics in the Prometheus text format.
        about: The service's manifest; its version is the API's.
        further: Routes beside these.
    """
    routes = [*further, price_routes(latest_prices), bar_routes(bars), health_routes(readiness, metrics, about)]
    return _app(routes, about["version"])


def build_service_app(
    readiness: CheckReadiness, metrics: Exposition, about: Mapping[str, Any], further: Sequence[Router] = ()
) -> Litestar:
    """
    Put together what a service answers that serves no prices: about its health.

    Args:
        readiness: What the service needs.
        metrics: Gives all metrics in the Prometheus text format.
        about: The service's manifest; its version is the API's.
        further: Routes beside these.
    """
    return _app([*further, health_routes(readiness, metrics, about)], about["version"])


def _app(routes: Sequence[Router], version: str) -> Litestar:
    return Litestar(
        route_handlers=[*routes, documents.asset],
        before_request=refuse_odd_queries,
        exception_handlers={
            BadParameter: _bad_parameter,
            ValidationException: _invalid,
            HTTPException: _refused,
            Retryable: _unavailable,
            Exception: _crashed,
        },
        openapi_config=documents.described("254carbon market data", version),
        request_max_body_size=0,
        response_headers=HEADERS,
        logging_config=None,
    )


async def refuse_odd_queries(request: AnyRequest) -> None:
    """
    Refuse a query that is too long, or has parameters that are unknown or given twice.

    Raises:
        HTTPException: 414, too long.
        BadParameter: The text names the parameter.
    """
    if len(request.scope["query_string"]) > LONGEST_QUERY_BYTES:
        raise HTTPException(status_code=414, detail=f"the query is longer than {LONGEST_QUERY_BYTES} bytes")
    given = [name for name, _ in request.query_params.multi_items()]
    known = _parameters(request)
    if strange := sorted({name for name in given if name not in known}):
        raise BadParameter(
            f"{', '.join(map(_shown, strange))}: no such parameter; there are {', '.join(known) or 'none'}"
        )
    if repeated := sorted({name for name in given if given.count(name) > 1}):
        raise BadParameter(f"{', '.join(repeated)}: given more than once")


def _parameters(request: AnyRequest) -> list[str]:
    """Names of the query parameters that the handler of this request takes."""
    fields = request.route_handler.parsed_fn_signature.parameters
    declared = {name: field.kwarg_definition for name, field in fields.items()}
    return [kind.name or name for name, kind in declared.items() if isinstance(kind, QueryParameter)]


def _shown(name: str) -> str:
    return ascii(name[:80])[1:-1]


def _bad_parameter(_: AnyRequest, error: BadParameter) -> ExactJson[Problem]:
    return ExactJson(Problem(str(error)), status_code=400)


def _invalid(_: AnyRequest, error: ValidationException) -> ExactJson[Problem]:
    return ExactJson(Problem(error.detail), status_code=400)


def _refused(_: AnyRequest, error: HTTPException) -> ExactJson[Problem]:
    return ExactJson(Problem(error.detail), status_code=error.status_code)


def _unavailable(_: AnyRequest, error: Retryable) -> ExactJson[Problem]:
    _log.warning("a store could not be reached for an answer: %s", type(error).__name__)
    return ExactJson(Problem("a store can't be reached; ask again"), status_code=503)


def _crashed(request: AnyRequest, error: Exception) -> ExactJson[Problem]:
    _log.error("no answer to %s", request.url.path, exc_info=error)
    return ExactJson(Problem("something went wrong here; it was logged"), status_code=500)
