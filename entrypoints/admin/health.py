"""Answers about the service itself. They show nothing that is secret, to whoever asks."""

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from application.queries.readiness import CheckReadiness
from entrypoints.admin.answers import ExactJson, Liveness, Readiness

Exposition = Callable[[], bytes]
"""All metrics in the Prometheus text format."""

Ready = NamedDependency[SkipValidation[CheckReadiness]]
Metrics = NamedDependency[SkipValidation[Exposition]]
About = NamedDependency[SkipValidation[Mapping[str, Any]]]
"""A service's manifest."""


@get("/health/live", sync_to_thread=False)
def live() -> ExactJson[Liveness]:
    """Whether the process answers; it depends on nothing else."""
    return ExactJson(Liveness())


@get("/health/ready", sync_to_thread=True)
def ready(readiness: Ready) -> ExactJson[Readiness]:
    """Whether the service can do its work: 200 if so, else 503."""
    checks = dict(readiness())
    fine = readiness.ready(checks)
    return ExactJson(Readiness(fine, checks), status_code=200 if fine else 503)


@get("/metrics", sync_to_thread=True)
def metrics(exposition: Metrics) -> Response[bytes]:
    """All metrics in the Prometheus text format."""
    return Response(exposition(), media_type="text/plain; version=0.0.4")


@get("/manifest", sync_to_thread=False)
def manifest(about: About) -> ExactJson[dict[str, Any]]:
    """What the service is to the platform: its dependencies, and the events it reads and writes."""
    return ExactJson(dict(about))


def health_routes(readiness: CheckReadiness, exposition: Exposition, about: Mapping[str, Any]) -> Router:
    """The routes of this file."""
    dependencies: dict[str, Any] = {
        "readiness": Provide(lambda: readiness, sync_to_thread=False),
        "exposition": Provide(lambda: exposition, sync_to_thread=False),
        "about": Provide(lambda: about, sync_to_thread=False),
    }
    return Router("/", route_handlers=[live, ready, metrics, manifest], dependencies=dependencies, tags=["health"])
