"""Work done by a thread while the main one hears signals and may answer over HTTP, until somebody stops either."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
import uvicorn

from entrypoints.admin.drain import Drain
from entrypoints.admin.watchdog import Watchdog
from entrypoints.settings import BadSettings

ANSWERED_WITHIN_S = 3
"""Requests that are being answered when the server stops may take so long."""

T = TypeVar("T")


def listen(host: str, port: int) -> socket.socket:
    """
    A socket that listens, so that a port in use is told before anything starts; port 0 takes a free one.

    Raises:
        BadSettings: The address can't be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise BadSettings(
            [f"can't listen on {host}:{port}: {error}; set DATA_PROC_PORT to another port, 0 takes a free one"]
        ) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """The address a browser reaches it by."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@attrs.define
class Stopping:
    """Whether somebody asked to stop: a signal, the end of the work, or the time."""

    asked: threading.Event = attrs.field(factory=threading.Event)

    def on_signals(self) -> None:
        """Let the first SIGINT or SIGTERM ask; a second one ends the process at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _: object) -> None:
        self.asked.set()
        signal.signal(number, signal.SIG_DFL)


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it: a request that hangs must not keep them from the work."""

    def __init__(self, config: uvicorn.Config, watchdog: Watchdog) -> None:
        super().__init__(config)
        self._watchdog = watchdog

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def main_loop(self) -> None:
        """Answer until told to stop, watched over."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watchdog.watch())
            await super().main_loop()
            watching.cancel()


def serve(
    http: Any,
    listening: socket.socket,
    work: Callable[[], object],
    stopping: Stopping,
    watchdog: Watchdog,
    drain: Drain,
    *,
    seconds: float | None = None,
) -> None:
    """
    Serve until the work ends, somebody asks to stop, or the seconds are over; then let the work end.

    Args:
        http: An ASGI application.
        listening: Where it answers.
        work: Done by a thread of its own; returns soon after `stopping` was asked.
        stopping: Asked from outside, and by this when the server or the work ends.
        watchdog: Watches over the event loop.
        drain: Ends the process where it takes longer to stop.
        seconds: How long at most.

    Raises:
        Whatever the work raised.
    """
    server = Server(
        uvicorn.Config(
            http,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=ANSWERED_WITHIN_S,
            limit_concurrency=100,
            h11_max_incomplete_event_size=16 * 1024,
        ),
        watchdog,
    )

    def close() -> None:
        server.should_exit = True

    with _apart(work, stopping, drain, close, seconds) as done:
        server.run(sockets=[listening])
    done.result()


def attend(work: Callable[[], T], stopping: Stopping, drain: Drain) -> T:
    """
    Do work that can be asked to stop, and wait for its end.

    Args:
        work: Done by a thread of its own, since one that hangs in native code hears no signal; returns soon after
            `stopping` was asked.
        stopping: Asked from outside, and by this when the work ends.
        drain: Ends the process where it takes longer to stop.

    Returns:
        What the work returned.

    Raises:
        Whatever the work raised.
    """
    with _apart(work, stopping, drain) as done:
        wait([done])
    return done.result()


@contextmanager
def _apart(
    work: Callable[[], T],
    stopping: Stopping,
    drain: Drain,
    asked: Callable[[], None] = lambda: None,
    seconds: float | None = None,
) -> Iterator[Future[T]]:
    """Work done by a thread of its own: `asked` is called once it is to stop, and its end is waited for."""
    ended = threading.Event()

    def watch() -> None:
        stopping.asked.wait(seconds)
        asked()
        if not ended.wait(drain.within_s):
            drain.give_up()

    stopping.on_signals()
    try:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="stages") as threads:
            done = threads.submit(work)
            done.add_done_callback(lambda _: stopping.asked.set())
            threading.Thread(target=watch, daemon=True).start()
            try:
                yield done
            finally:
                stopping.asked.set()
    finally:
        ended.set()
