"""
One stage as a service of its own: it shares its partitions with every other process of its stage.

Readiness says whether its commits can advance; liveness depends on nothing but the process.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from cyclopts import App

from application.consume import Consume, Stopped
from application.pipeline import STAGES, StageMap
from application.ports.errors import Fatal, Insecure
from application.queries.readiness import CheckReadiness
from entrypoints.admin.app import build_app, build_service_app
from entrypoints.admin.quiet import feed_routes, quiet_routes
from entrypoints.admin.serving import Stopping, address_of, listen, serve
from entrypoints.container import Container, Profile, say, service_version
from entrypoints.environment import settings_or_exit
from entrypoints.exits import DONE, status_of
from entrypoints.manifests import manifest
from entrypoints.settings import BadSettings, Settings

NEEDED = {
    "normalization": ("kafka", "clickhouse", "postgres"),
    "enrichment": ("kafka", "clickhouse", "postgres"),
    "aggregation": ("kafka", "clickhouse", "postgres"),
    "projection": ("kafka", "clickhouse"),
}
"""What each service can't do its work without, by the names that errors of ports carry."""
WITH_CACHE = ("enrichment", "projection")
"""Services that use Redis, and do their work without it."""


VERBS = {"normalization": "normalize", "enrichment": "enrich", "aggregation": "aggregate", "projection": "project"}
"""What the container calls the stage that does a service's work."""


def servers_of(name: str) -> tuple[str, ...]:
    """Every server a service uses."""
    return (*NEEDED[name], *(("redis",) if name in WITH_CACHE else ()))


def main(name: str, arguments: Sequence[str]) -> int:
    """What the command line asks for. A service takes no arguments: its settings are variables."""
    port = _stage_map(name).port
    app = App(
        name=f"python -m entrypoints.{name}",
        help=f"The {name} service: one stage, until it is told to stop. Its settings are DATA_PROC_* variables.",
        help_epilogue=f"""
Examples:

  python -m entrypoints.{name}
      its state on http://127.0.0.1:{port}

  DATA_PROC_PORT=9001 python -m entrypoints.{name}
      one more of it, which shares the work

All settings are in docs/reference/settings.md. Needed: {", ".join(NEEDED[name])}.
""",
        result_action="return_value",
    )

    @app.default
    def start() -> int:
        return run(name)

    code: int = app(arguments)
    return code


def run(name: str) -> int:
    """
    Run a service until it is stopped.

    Args:
        name: Of the stage, e.g. normalization.

    Returns:
        0 stopped when asked, 1 it can't go on, 2 settings can't be used, 78 a server does not let it in.
    """
    settings = settings_or_exit(f"254carbon-{name}", DATA_PROC_PORT=str(_stage_map(name).port))
    container = Container(settings=settings, profile=Profile.DISTRIBUTED.value, service=name)
    try:
        _serve(name, settings, container)
    except (BadSettings, Insecure) as error:
        say(str(error))
        return status_of(error)
    except Fatal as error:
        container.journal().error("the service can't go on", error=str(error))
        return status_of(error)
    return DONE


def _stage_map(name: str) -> StageMap:
    return next(stage for stage in STAGES if stage.name == name)


def _serve(name: str, settings: Settings, container: Container) -> None:
    stopping = Stopping()
    loop = container.loop(
        stage=getattr(container, VERBS[name])(),
        group=settings.group_of(name),
        stopping=stopping.asked.is_set,
        before=_checks(name, container),
        meanwhile=_duties(name, container),
    )
    listening = listen(settings.host, settings.port)
    say(f"{name} answers on {address_of(listening)}")
    drain = container.drain(trouble=lambda: loop.trouble)
    work, http = lambda: _work(loop, stopping), _app(name, container, loop)
    serve(http, listening, work, stopping, container.watchdog(), drain)


def _duties(name: str, container: Container) -> list[Callable[[], None]]:
    """What a service does beside, before each poll."""
    if name == "projection":
        return [container.cache().catch_up, container.reconcile()]
    return [container.feeds().notice] if name == "aggregation" else []


def _checks(name: str, container: Container) -> list[Callable[[], None]]:
    """What must hold before a service joins its group."""
    checks = [container.migrator().required_version_present, lambda: container.required_topics()(name)]
    if name == "projection":
        return checks
    return [*checks, container.sql_migrator().required_version_present, container.required_reference()]


def _work(loop: Consume, stopping: Stopping) -> None:
    try:
        loop.start()
        while not stopping.asked.is_set():
            loop.step()
    except Stopped:
        return
    finally:
        loop.close()


def _readiness(name: str, container: Container, loop: Consume) -> CheckReadiness:
    """Whether commits can advance, and what is in their way."""
    needed: dict[str, Callable[[], bool]] = {name: lambda: not loop.trouble}
    needed |= {other: partial(_there, other, loop) for other in (*NEEDED[name], *_asked_for(name, container))}
    return CheckReadiness(needed, {"redis": lambda: not container.redis().away} if name in WITH_CACHE else {})


def _asked_for(name: str, container: Container) -> tuple[str, ...]:
    """What a service needs besides where settings name it."""
    return ("schema_registry",) if name == "normalization" and container.settings().schema_registry_url else ()


def _there(other: str, loop: Consume) -> bool:
    return other not in loop.away


def _app(name: str, container: Container, loop: Consume) -> Any:
    ready = _readiness(name, container, loop)
    exposition = container.meter().exposition
    stages = [stage for stage in STAGES if stage.name == name]
    about = manifest(name, stages, container.settings().bar_intervals, service_version(), servers_of(name))
    quiet = quiet_routes(container.gaps(), container.seal())
    if name == "projection":
        return build_app(container.latest_prices(), container.bars(), ready, exposition, about, [quiet])
    further = [quiet, feed_routes(container.feeds())] if name == "aggregation" else []
    return build_service_app(ready, exposition, about, further)
