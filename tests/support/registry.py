"""A schema registry over HTTP, for tests: it can be away, slow, strict about who asks, or no registry at all."""

import base64
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import attrs

SHIPPED = {1: "raw_typed_payload.avsc", 2: "raw_wrapper.avsc", 3: "raw_generated.avsc"}
PREFIX = "/schemas/ids/"


@attrs.define
class Registry:
    """What it holds, how it behaves, and what it was asked."""

    schemas: dict[int, Mapping[str, Any]] = attrs.field(factory=dict)
    """The answer to each id, as it is sent."""
    instead: tuple[int, bytes] | None = None
    """Status and body of every answer, whatever is asked."""
    login: str = ""
    """`user:password` of who may ask; empty: anybody."""
    drips: bool = False
    """Sends an answer that never ends, a little at a time."""
    hangs: bool = False
    """Takes questions and says nothing."""
    asked: list[str] = attrs.field(factory=list)
    released: Event = attrs.field(factory=Event)

    def register(self, number: int, schema: Any, **more: Any) -> None:
        """Keep a schema."""
        self.schemas[number] = {"schema": json.dumps(schema), **more}

    def answer(self, path: str, login: str) -> tuple[int, bytes]:
        """Status and body for a question."""
        self.asked.append(path)
        if self.instead:
            return self.instead
        if self.login and login != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            return 401, b'{"error_code": 40101, "message": "Unauthorized"}'
        prefix, _, number = path.rpartition(PREFIX)
        found = self.schemas.get(int(number)) if prefix in {"", "/under"} and number.isdigit() else None
        if found is None:
            return 404, b'{"error_code": 40403, "message": "Schema not found"}'
        return 200, json.dumps(found).encode()


def _answering(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if registry.hangs:
                registry.asked.append(self.path)
                registry.released.wait(30)
                return
            status, body = registry.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(1 << 30 if registry.drips else len(body)))
            self.end_headers()
            self.wfile.write(body)
            while registry.drips and not registry.released.wait(0.02):
                self.wfile.write(b" ")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
            """Says nothing."""

    return Answering


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked is gone, or did not like our certificate; the test knows."""


@contextmanager
def answering(registry: Registry, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Let it answer; yields its address, without a login."""
    server = _Server(("127.0.0.1", port), _answering(registry))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        registry.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
