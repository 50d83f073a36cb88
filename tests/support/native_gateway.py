"""
ClickHouse's native protocol in front of chDB, for tests: as much as clickhouse-driver uses.

    python -m tests.support.native_gateway DIRECTORY PORT [USER:PASSWORD]

It speaks revision 54459, the first that binds parameters: hello with addendum, queries with settings, parameters and
tables beside them, inserts, pings. A Data block there is its info, and then the engine's `FORMAT Native` with one more
byte a column (0: an ordinary serialization), which is put in or taken out here. No compression, no TLS, no progress.
"""

import re
import socket
import struct
import sys
from collections.abc import Mapping
from io import BytesIO
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import attrs
import chdb
from clickhouse_driver.bufferedreader import BufferedReader
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.context import Context
from clickhouse_driver.reader import read_binary_str, read_binary_uint8, read_binary_uint64
from clickhouse_driver.varint import read_varint

from tests.support.chdb_session import EngineRefused, Session, session

REVISION = 54459
HELLO, QUERY, DATA, CANCEL, PING = 0, 1, 2, 3, 4
S_HELLO, S_DATA, S_EXCEPTION, S_PONG, S_END, S_EVENTS = 0, 1, 2, 4, 5, 14
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
AUTHENTICATION_FAILED = 516

_INSERT = re.compile(r"(?is)\s*(INSERT\s+INTO\s+(\S+)\s*\(([^)]*)\))\s*(?:FORMAT\s+Native|VALUES)\s*;?\s*")
_ANSWERS = re.compile(r"(?is)\s*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS)\b")


def varint(number: int) -> bytes:
    """A whole number as the protocol writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(value: str) -> bytes:
    """A text as the protocol writes it."""
    return varint(len(value.encode())) + value.encode()


NO_EVENTS = varint(S_EVENTS) + string("") + BLOCK_INFO + varint(0) + varint(0)
"""What clients wait for after each block of an insert."""


class Reader(BufferedReader):  # type: ignore[misc]
    """A reader that can say which bytes it has read since it was asked to watch."""

    buffer: bytearray
    current_buffer_size: int
    position: int

    def __init__(self, source: Any) -> None:
        self._source = source
        self._watched: bytearray | None = None
        self._from = 0
        super().__init__(1 << 16)

    def read_into_buffer(self) -> None:
        """Fetch more; called by the driver's own reading."""
        if self._watched is not None:
            self._watched += self.buffer[self._from : self.current_buffer_size]
            self._from = 0
        fetched = self._source(1 << 16)
        if not fetched:
            raise EOFError
        self.buffer, self.current_buffer_size = bytearray(fetched), len(fetched)

    def watch(self) -> None:
        """Begin to remember what is read."""
        self._watched, self._from = bytearray(), self.position

    def seen(self) -> bytes:
        """What was read since."""
        watched, self._watched = self._watched or bytearray(), None
        return bytes(watched + self.buffer[self._from : self.position])


@attrs.frozen
class Block:
    """Columns of rows, as `FORMAT Native` writes them."""

    names: list[str]
    types: list[str]
    rows: int
    columns: list[bytes]

    def native(self) -> bytes:
        """As the engine reads and writes it."""
        return self._written(b"")

    def packet(self) -> bytes:
        """As the protocol carries it."""
        return BLOCK_INFO + self._written(b"\x00")

    @property
    def structure(self) -> str:
        """Names and types, as a table is declared."""
        return ", ".join(f"{name} {kind}" for name, kind in zip(self.names, self.types, strict=True))

    def _written(self, serialization: bytes) -> bytes:
        head = varint(len(self.names)) + varint(self.rows)
        columns = zip(self.names, self.types, self.columns, strict=True)
        return head + b"".join(string(n) + string(t) + serialization + column for n, t, column in columns)


def read_block(reader: Reader, context: Context, serialization: bool) -> Block:
    """Read a block; the driver's own readers find where a column ends."""
    count, rows = read_varint(reader), read_varint(reader)
    names, types, columns = [], [], []
    for _ in range(count):
        names.append(read_binary_str(reader))
        types.append(read_binary_str(reader))
        if serialization:
            read_binary_uint8(reader)
        reader.watch()
        if rows:
            read_column(context, types[-1], rows, reader)
        columns.append(reader.seen())
    return Block(names, types, rows, columns)


def blocks_of(answer: bytes, context: Context) -> list[Block]:
    """The blocks of an answer in Native format."""
    source, found = BytesIO(answer), []
    reader = Reader(source.read)
    while reader.position < reader.current_buffer_size or source.tell() < len(answer):
        found.append(read_block(reader, context, serialization=False))
    return found


class Connection(BaseRequestHandler):
    """One client."""

    server: "Gateway"

    def handle(self) -> None:
        """Answer packets until the client leaves."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader, self.context = Reader(self.request.recv), _context()
        try:
            with session(self.server.path) as engine:
                if self._greet(engine):
                    self._serve(engine)
        except (EOFError, ConnectionError):
            return

    def _serve(self, engine: Session) -> None:
        while True:
            packet = read_varint(self.reader)
            if packet == PING:
                self._send(varint(S_PONG))
            elif packet == QUERY:
                self._query(engine)
            elif packet == DATA:
                self._data()

    def _greet(self, engine: Session) -> bool:
        if read_varint(self.reader) != HELLO:
            return False
        read_binary_str(self.reader)
        for _ in range(3):
            read_varint(self.reader)
        database, user, password = (read_binary_str(self.reader) for _ in range(3))
        if self.server.users and self.server.users.get(user) != password:
            self._refuse(AUTHENTICATION_FAILED, f"{user}: Authentication failed")
            return False
        try:
            engine.use(database)
        except EngineRefused as error:
            self._refuse(error.code, error.told)
            return False
        greeting = string("chDB gateway") + varint(26) + varint(9) + varint(REVISION) + string("UTC")
        self._send(varint(S_HELLO) + greeting + string("chdb") + varint(2))
        read_binary_str(self.reader)
        return True

    def _query(self, engine: Session) -> None:
        read_binary_str(self.reader)
        self._client_info()
        settings = self._named()
        read_binary_str(self.reader)
        read_varint(self.reader)
        read_varint(self.reader)
        sql = read_binary_str(self.reader)
        parameters = {name: _unquoted(value) for name, value in self._named().items()}
        beside = self._tables()
        try:
            engine.set(settings)
            for name, block in beside.items():
                engine.table(name, block.structure, "Native", block.native())
            self._perform(engine, sql, parameters)
        except EngineRefused as error:
            self._refuse(error.code, error.told)
        finally:
            for name in beside:
                engine.drop(name)

    def _perform(self, engine: Session, sql: str, parameters: Mapping[str, str]) -> None:
        insert = _INSERT.fullmatch(sql)
        if insert:
            self._insert(engine, insert[1], f"SELECT {insert[3]} FROM {insert[2]}")
        elif _ANSWERS.match(sql):
            self._select(engine, sql, parameters)
        else:
            engine.answer(sql, "TabSeparated", parameters)
        self._send(varint(S_END))

    def _select(self, engine: Session, sql: str, parameters: Mapping[str, str]) -> None:
        answer = engine.answer(sql, "Native", parameters)
        blocks = blocks_of(answer, self.context)
        if blocks:
            first = blocks[0]
            header = Block(first.names, first.types, 0, [b""] * len(first.names))
        else:
            header = self._header(engine, sql, parameters)
        for block in (header, *blocks):
            self._send(varint(S_DATA) + string("") + block.packet())

    def _insert(self, engine: Session, statement: str, described: str) -> None:
        header = self._header(engine, described, {})
        self._send(varint(S_DATA) + string("") + header.packet())
        rows = b""
        while read_varint(self.reader) == DATA:
            _, block = self._data()
            if not block.names:
                break
            rows += block.native()
            self._send(NO_EVENTS)
        if rows:
            engine.insert(f"{statement} FORMAT Native", rows)
        self._send(NO_EVENTS)

    @staticmethod
    def _header(engine: Session, sql: str, parameters: Mapping[str, str]) -> Block:
        columns = engine.columns(sql, parameters)
        return Block([name for name, _ in columns], [kind for _, kind in columns], 0, [b""] * len(columns))

    def _tables(self) -> dict[str, Block]:
        found = {}
        while read_varint(self.reader) == DATA:
            name, block = self._data()
            if not block.names:
                break
            found[name] = block
        return found

    def _data(self) -> tuple[str, Block]:
        name = read_binary_str(self.reader)
        while field := read_varint(self.reader):
            self.reader.read(1 if field == 1 else 4)
        return name, read_block(self.reader, self.context, serialization=True)

    def _named(self) -> dict[str, str]:
        found = {}
        while name := read_binary_str(self.reader):
            read_binary_uint8(self.reader)
            found[name] = read_binary_str(self.reader)
        return found

    def _client_info(self) -> None:
        if not read_binary_uint8(self.reader):
            return
        for _ in range(3):
            read_binary_str(self.reader)
        read_binary_uint64(self.reader)
        read_binary_uint8(self.reader)
        for _ in range(3):
            read_binary_str(self.reader)
        for _ in range(3):
            read_varint(self.reader)
        read_binary_str(self.reader)
        read_varint(self.reader)
        read_varint(self.reader)
        if read_binary_uint8(self.reader):
            self.reader.read(16 + 8)
            read_binary_str(self.reader)
            read_binary_uint8(self.reader)
        for _ in range(3):
            read_varint(self.reader)

    def _refuse(self, code: int, told: str) -> None:
        message = string("DB::Exception") + string(f"DB::Exception: {told}") + string("") + b"\x00"
        self._send(varint(S_EXCEPTION) + struct.pack("<i", code) + message)

    def _send(self, packet: bytes) -> None:
        self.request.sendall(packet)


class Gateway(ThreadingTCPServer):
    """A server on the loopback in front of one chDB directory."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, path: str, port: int, users: Mapping[str, str]) -> None:
        self.path, self.users = path, users
        self.engine = chdb.connect(path)
        super().__init__(("127.0.0.1", port), Connection)


def _context() -> Context:
    """What the driver's readers want to know of a connection."""
    context = Context()
    context.client_settings = {
        "use_numpy": False,
        "strings_as_bytes": True,
        "strings_encoding": "utf-8",
        "input_format_null_as_default": False,
        "namedtuple_as_json": True,
        "server_side_params": False,
        "opentelemetry_traceparent": None,
    }
    context.settings = {}
    context.server_info = ServerInfo("chDB gateway", 26, 9, 2, REVISION, "UTC", "chdb", REVISION)
    return context


def _unquoted(value: str) -> str:
    """The text of a parameter, which travels as a quoted literal."""
    inner = value[1:-1] if value.startswith("'") else value
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}.get(found[1], found[1]), inner)


if __name__ == "__main__":
    allowed = dict([account.split(":", 1) for account in sys.argv[3:]])
    gateway = Gateway(sys.argv[1], int(sys.argv[2]), allowed)
    print("listening", gateway.server_address[1], flush=True)  # noqa: T201
    gateway.serve_forever()
