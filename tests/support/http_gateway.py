"""
ClickHouse's HTTP interface in front of chDB, for tests and machines without a server: as much as our clients use.

    python -m tests.support.http_gateway DIRECTORY PORT

GET /ping; POST / with the query in the URL or the body, parameters, settings, compressed bodies, inserts with their
rows in the body, and tables beside a query (multipart). No users, no sessions.
"""

import gzip
import re
import sys
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

from tests.support.chdb_session import EngineRefused, Session, session

VERSION = "26.9.2.1"
CONTROL = frozenset(
    {
        "query",
        "database",
        "user",
        "password",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "compress",
        "decompress",
        "default_format",
        "client_protocol_version",
        "enable_http_compression",
        "wait_end_of_query",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "buffer_size",
        "role",
        "quota_key",
        "cancel_http_readonly_queries_on_client_close",
    }
)
"""URL parameters that the server itself reads; others are settings, or parameters of the query."""

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
"""Begins every Native block for clients that name a protocol version."""

_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_INSERT = re.compile(rb"(?is)(\s*INSERT\s+INTO\s.*?\bFORMAT\s+\w+)[ \t]*\n")
_UNKNOWN_TABLE = 60


class Gateway(ThreadingHTTPServer):
    """A server on the loopback in front of one chDB directory."""

    daemon_threads = True

    def __init__(self, path: str, port: int) -> None:
        self.path = path
        self.engine = chdb.connect(path)
        super().__init__(("127.0.0.1", port), Request)


class Request(BaseHTTPRequestHandler):
    """One connection's requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Gateway

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: tests read the answers."""

    def do_GET(self) -> None:
        """A ping, or a query in the URL."""
        if urlsplit(self.path).path == "/ping":
            self._reply(200, b"Ok.\n")
        else:
            self._run(b"")

    def do_POST(self) -> None:
        """A query."""
        self._run(self._body())

    def _run(self, body: bytes) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            with session(self.server.path) as engine:
                engine.use(asked.get("database", ""))
                engine.set({name: value for name, value in asked.items() if self._is_setting(name, asked)})
                answer, fmt = self._answer(engine, asked, body)
            self._reply(200, answer, {"X-ClickHouse-Format": fmt, "X-ClickHouse-Summary": '{"read_rows":"0"}'})
        except EngineRefused as error:
            status = 404 if error.code == _UNKNOWN_TABLE else 500
            told = f"{error} (version {VERSION} (official build))".encode()
            self._reply(status, told, {"X-ClickHouse-Exception-Code": str(error.code)})

    def _answer(self, engine: Session, asked: dict[str, str], body: bytes) -> tuple[bytes, str]:
        if self.headers.get_content_type() == "multipart/form-data":
            body = self._beside(engine, asked, body)
        sql, rows = self._split(asked.get("query"), body)
        if rows:
            engine.insert(sql, rows)
            return b"", "TabSeparated"
        named = _FORMAT.search(sql)
        fmt = named[1] if named else asked.get("default_format", "TabSeparated")
        parameters = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
        answer = engine.answer(sql[: named.start()] if named else sql, fmt, parameters)
        framed = fmt == "Native" and answer and int(asked.get("client_protocol_version", "0"))
        return (BLOCK_INFO + answer if framed else answer), fmt

    def _beside(self, engine: Session, asked: dict[str, str], body: bytes) -> bytes:
        """Take in the tables of a multipart body; return its query, where it has one."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        query = b""
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
            name, content = (
                str(part.get_param("name", header="content-disposition")),
                bytes(part.get_payload(decode=True)),
            )
            if part.get_filename():
                engine.table(name, asked[f"{name}_structure"], asked.get(f"{name}_format", "TabSeparated"), content)
            elif name == "query":
                query = content
            else:
                asked[name] = content.decode()
        return query

    @staticmethod
    def _split(sql: str | None, body: bytes) -> tuple[str, bytes]:
        """The statement, and the rows it comes with."""
        if sql is not None:
            return sql, body
        insert = _INSERT.match(body)
        return (insert[1].decode(), body[insert.end() :]) if insert else (body.decode(), b"")

    @staticmethod
    def _is_setting(name: str, asked: dict[str, str]) -> bool:
        table, _, what = name.rpartition("_")
        beside = what in {"structure", "format", "types"} and f"{table}_structure" in asked
        return not (name in CONTROL or name.startswith("param_") or beside)

    def _body(self) -> bytes:
        raw = self._chunks() if self.headers.get("Transfer-Encoding", "").lower() == "chunked" else self._whole()
        encoding = self.headers.get("Content-Encoding", "")
        return gzip.decompress(raw) if encoding == "gzip" else raw

    def _whole(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        told = {"Content-Length": str(len(body)), "X-ClickHouse-Timezone": "UTC", **(headers or {})}
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    gateway = Gateway(sys.argv[1], int(sys.argv[2]))
    print("listening", gateway.server_port, flush=True)  # noqa: T201
    gateway.serve_forever()
