"""
A TCP proxy that a test puts before a server, and switches while both sides talk.

    pass        as if it were not there
    refuse      nobody listens; connections that are open are reset
    hang        takes connections and whatever comes, and hands nothing on until it is switched again
    reset       cuts every connection in the middle of what the server says, with a reset
    slow        hands on a little now and then
    half_close  closes what the server says at its first words, and still takes what the client says
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from enum import StrEnum
from typing import Any, TypeVar

import attrs

from entrypoints.services.process import free_port

T = TypeVar("T")

CHUNK = 65_536
SLOW_CHUNK, SLOW_EVERY_S = 8_192, 0.1
CUT_AFTER = 40
"""Bytes of an answer that are handed on before it is cut."""
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""
SWITCHED_WITHIN_S = 10


class Mode(StrEnum):
    """What a proxy does."""

    PASS = "pass"  # noqa: S105 - no password
    REFUSE = "refuse"
    HANG = "hang"
    RESET = "reset"
    SLOW = "slow"
    HALF_CLOSE = "half_close"


@attrs.define(eq=False)
class Proxy:
    """One proxy on the loopback, run by a thread of its own."""

    server_port: int
    port: int = attrs.field(factory=free_port)
    """Where clients find it; it stays the same."""
    mode: Mode = attrs.field(init=False, default=Mode.PASS)
    _loop: asyncio.AbstractEventLoop = attrs.field(init=False, factory=asyncio.new_event_loop)
    _listening: asyncio.Server | None = attrs.field(init=False, default=None)
    _open: set[asyncio.StreamWriter] = attrs.field(init=False, factory=set)
    _talks: "set[asyncio.Task[None]]" = attrs.field(init=False, factory=set)
    _flowing: asyncio.Event = attrs.field(init=False, factory=asyncio.Event)
    _thread: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()
        self.switch(Mode.PASS)

    def switch(self, mode: Mode) -> None:
        """From now on, do this; it holds when this returns."""
        self._wait_for(self._switch(mode))

    @contextlib.contextmanager
    def doing(self, mode: Mode) -> Iterator[None]:
        """Do this for a while, then let everything pass again."""
        self.switch(mode)
        try:
            yield
        finally:
            self.switch(Mode.PASS)

    def close(self) -> None:
        """End it, and every connection with it."""
        self._wait_for(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, what: "Coroutine[Any, Any, T]") -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(SWITCHED_WITHIN_S)

    async def _switch(self, mode: Mode) -> None:
        self.mode = mode
        if mode is Mode.HANG:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode in {Mode.REFUSE, Mode.RESET, Mode.HALF_CLOSE}:
            self._reset_all()
        if mode is Mode.REFUSE:
            await self._stop_listening()
        elif self._listening is None:
            self._listening = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._listening:
            self._listening.close()
            self._listening = None

    async def _end(self) -> None:
        self._flowing.set()
        await self._stop_listening()
        self._reset_all()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _reset_all(self) -> None:
        for writer in list(self._open):
            _reset(writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = self._loop.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, said: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._open.add(client)
        server: asyncio.StreamWriter | None = None
        try:
            await self._flowing.wait()
            answers, server = await asyncio.open_connection("127.0.0.1", self.server_port)
            self._open.add(server)
            await asyncio.gather(self._carry(said, server), self._carry(answers, client, answers=True))
        except OSError:
            _reset(client)
        finally:
            for writer in (client, server):
                if writer is not None:
                    self._open.discard(writer)
                    writer.close()

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        """Hand on what one side says to the other, as the mode has it at each moment."""
        while said := await source.read(SLOW_CHUNK if self.mode is Mode.SLOW else CHUNK):
            await self._flowing.wait()
            if answers and self.mode is Mode.RESET:
                target.write(said[:CUT_AFTER])
                await target.drain()
                raise ConnectionResetError
            if answers and self.mode is Mode.HALF_CLOSE:
                break
            if self.mode is Mode.SLOW:
                await asyncio.sleep(SLOW_EVERY_S)
            target.write(said)
            await target.drain()
        if target.can_write_eof() and not target.is_closing():
            target.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()


@contextlib.contextmanager
def proxy_before(server_port: int) -> Iterator[Proxy]:
    """A proxy before what listens, or will listen, on this port of the loopback."""
    proxy = Proxy(server_port)
    try:
        yield proxy
    finally:
        proxy.close()
