"""A loop that answers over HTTP, and a handler that holds it."""

import signal
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from litestar import Router, get

from adapters.memory.clock import SystemClock
from adapters.telemetry.meter import PrometheusMeter
from application.queries.readiness import CheckReadiness
from entrypoints.admin.app import build_service_app
from entrypoints.admin.drain import Drain
from entrypoints.admin.serving import Stopping, address_of, listen, serve
from entrypoints.admin.watchdog import LATE, Watchdog
from tests.aggregating import Lines
from tests.performing import StandingClock

BLOCKED_S = 1.2


@get("/blocks", sync_to_thread=False)
def blocks() -> None:
    """Hold the loop, as a handler does that waits for a server and is not run by a thread."""
    threading.Event().wait(BLOCKED_S)


@pytest.fixture
def signals() -> Iterator[None]:
    """As they were, in the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, taken in before.items():
        signal.signal(number, taken)


def within_a_second(meter: PrometheusMeter) -> tuple[float, float]:
    """Looks that came at most a second late, and all looks."""
    told = dict(line.rsplit(" ", 1) for line in meter.exposition().decode().splitlines())
    return float(told[f'{LATE}_bucket{{le="1.0"}}']), float(told[f"{LATE}_count"])


def test_a_handler_that_blocks_the_loop_is_seen_and_told_of(signals: None) -> None:
    meter, journal, stopping = PrometheusMeter(strict=True), Lines(), Stopping()
    watchdog = Watchdog(clock=SystemClock(), meter=meter, journal=journal, every_s=0.01)
    listening = listen("127.0.0.1", 0)
    address = address_of(listening)
    app = build_service_app(
        CheckReadiness({}), meter.exposition, {"version": "1"}, [Router("/", route_handlers=[blocks])]
    )

    def ask() -> None:
        for path in ("/blocks", "/health/live"):
            with urllib.request.urlopen(address + path, timeout=30):  # noqa: S310 - its own
                pass

    serve(app, listening, ask, stopping, watchdog, Drain(20, journal, lambda: ""))

    timely, looks = within_a_second(meter)
    assert timely < looks
    assert journal.told == [
        "the event loop was blocked: no request was answered meanwhile; blocking work belongs in a thread"
    ]


def test_a_loop_that_is_blocked_again_and_again_is_told_of_once_in_a_while() -> None:
    clock, meter, journal = StandingClock(), PrometheusMeter(strict=True), Lines()
    watchdog = Watchdog(clock=clock, meter=meter, journal=journal)

    for late_s, at_s in ((-0.001, 0), (0.9, 1), (1.1, 2), (5.0, 20), (1.0, 32)):
        clock.seconds = at_s
        watchdog.woken(late_s)

    assert within_a_second(meter) == (3, 5)
    assert len(journal.told) == 2
