"""
One stage as a service of its own: it shares its partitions with every other process of its stage.

Readiness says whether its commits can advance; liveness depends on nothing but the process.
"""

import sys
from collections.abc import Callable
from typing import Any

from application.consume import Consume, Stopped
from application.pipeline import STAGES
from application.ports.errors import Fatal
from application.queries.readiness import CheckReadiness
from entrypoints.admin.app import build_app, build_service_app
from entrypoints.admin.serving import Stopping, address_of, listen, serve
from entrypoints.container import Container, Profile
from entrypoints.environment import settings_or_exit
from entrypoints.settings import BadSettings

DONE, FAILED, BAD_USAGE = 0, 1, 2

VERBS = {"normalization": "normalize", "enrichment": "enrich", "aggregation": "aggregate", "projection": "project"}
"""What the container calls the stage that does a service's work."""


def run(name: str) -> int:
    """
    Run a service until it is stopped.

    Args:
        name: Of the stage, e.g. normalization.

    Returns:
        0 stopped when asked, 1 it can't go on, 2 settings can't be used.
    """
    stage_map = next(stage for stage in STAGES if stage.name == name)
    settings = settings_or_exit(f"254carbon-{name}", DATA_PROC_PORT=str(stage_map.port))
    container = Container(settings=settings, profile=Profile.DISTRIBUTED.value)
    stopping = Stopping()
    stage = getattr(container, VERBS[name])()
    loop = container.loop(
        stage=stage,
        group=settings.group_of(name),
        stopping=stopping.asked.is_set,
        before=_checks(name, container),
    )
    try:
        listening = listen(settings.host, settings.port)
        print(f"{name} answers on {address_of(listening)}", file=sys.stderr)
        serve(_app(name, container, loop), listening, lambda: _work(loop, stopping), stopping)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return BAD_USAGE
    except Fatal as error:
        container.journal().error("the service can't go on", error=str(error))
        return FAILED
    return DONE


def _checks(name: str, container: Container) -> list[Callable[[], None]]:
    """What must hold before a service joins its group."""
    checks = [container.migrator().required_version_present, lambda: container.required_topics()(name)]
    return [*checks, container.sql_migrator().required_version_present] if name == "enrichment" else checks


def _work(loop: Consume, stopping: Stopping) -> None:
    try:
        loop.start()
        while not stopping.asked.is_set():
            loop.step()
    except Stopped:
        return
    finally:
        loop.close()


def _app(name: str, container: Container, loop: Consume) -> Any:
    ready = CheckReadiness({name: lambda: not loop.trouble})
    exposition = container.meter().exposition
    if name == "projection":
        return build_app(container.latest_prices(), container.bars(), ready, exposition)
    return build_service_app(ready, exposition)
