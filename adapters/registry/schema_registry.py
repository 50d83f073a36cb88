"""
A schema registry, asked `GET /schemas/ids/{id}` as Confluent's, Karapace and Apicurio answer it.

It is asked about an id once: who asks keeps the answer. While it is away, messages of known ids go on, and one of an
unknown id waits, for there is nothing wrong with it.
"""

import base64
import json
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from adapters.wire.raw_schemas import AVRO, raw_schema
from application.ports.clock import Clock
from application.ports.errors import OPEN_ENVIRONMENTS, Denied, Fatal, Insecure, RegistryUnavailable

REGISTRY = "schema_registry"
"""What readiness calls it."""
LONGEST_ANSWER = 1 << 20
"""Bytes; a schema is a few thousand."""
NO_SUCH_SCHEMA = 40403
"""How a registry says that an id stands for nothing."""


@attrs.frozen
class SchemaRegistry:
    """One registry. A SchemaSource."""

    address: SplitResult = attrs.field(repr=False)
    answer_within_s: float
    clock: Clock
    encryption: ssl.SSLContext | None = None
    """How the server is known to be the right one; None speaks in plain."""

    @classmethod
    def at(cls, url: str, env: str, clock: Clock, answer_within_s: float = 5.0, ca_path: str = "") -> "SchemaRegistry":
        """
        Reach the registry at this address; nothing is connected yet.

        Args:
            url: `https://user:password@host:port`, with a path where the registry lies under one.
            env: Name of the environment.
            clock: Tells how long an answer takes.
            answer_within_s: After this long it counts as away.
            ca_path: PEM file of who signed the server's certificate; empty: those the system trusts.

        Raises:
            Insecure: The connection would be plain outside a local or test environment.
            Fatal: The address or the file is none.
        """
        address = urlsplit(url)
        try:
            usable = bool(address.hostname) and address.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise Fatal("DATA_PROC_SCHEMA_REGISTRY_URL is no address of a registry; write https://host:port")
        if address.scheme == "https":
            return cls(address, answer_within_s, clock, _trusting(ca_path))
        if env not in OPEN_ENVIRONMENTS:
            raise Insecure(
                f"the schema registry would be asked in plain and the environment is {env!r}: anybody on the way could "
                "change what messages mean. Write https:// in DATA_PROC_SCHEMA_REGISTRY_URL, or set DATA_PROC_ENV=local "
                "where nothing leaves this machine"
            )
        return cls(address, answer_within_s, clock)

    def of(self, number: int) -> Mapping[str, Any] | None:
        """
        Return the schema of an id; None where the registry has no such id.

        Raises:
            Unreadable: What it stands for can't be a raw message.
            RegistryUnavailable: It does not answer, or not as a registry does.
            Denied: It does not let us in.
        """
        status, body = self._asked(number)
        if status in {401, 403}:
            raise Denied(
                f"the schema registry does not let us read schema {number} (HTTP {status}); "
                "check user and password in DATA_PROC_SCHEMA_REGISTRY_URL"
            )
        told = _told(body)
        if status == 404 and told.get("error_code") == NO_SUCH_SCHEMA:
            return None
        if status != 200 or not isinstance(told.get("schema"), str):
            raise _away(number, f"HTTP {status} and no schema; is DATA_PROC_SCHEMA_REGISTRY_URL a registry's address?")
        return raw_schema(number, told["schema"], str(told.get("schemaType") or AVRO))

    def _asked(self, number: int) -> tuple[int, bytes]:
        connection = self._connection()
        until_s = self.clock.monotonic_s() + self.answer_within_s
        try:
            connection.request("GET", f"{self.address.path.rstrip('/')}/schemas/ids/{number}", headers=self._headers())
            answer = connection.getresponse()
            return answer.status, self._read(answer, number, until_s)
        except (OSError, HTTPException) as error:
            raise _away(number, f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def _read(self, answer: HTTPResponse, number: int, until_s: float) -> bytes:
        """The body; a server that lets it drip is away like one that says nothing."""
        body = b""
        while some := answer.read1(1 << 16):
            body += some
            if len(body) > LONGEST_ANSWER or self.clock.monotonic_s() > until_s:
                raise _away(number, f"an answer of more than {self.answer_within_s:g} s or {LONGEST_ANSWER} bytes")
        return body

    def _connection(self) -> HTTPConnection:
        host, port = self.address.hostname or "", self.address.port
        if self.encryption:
            return HTTPSConnection(host, port, timeout=self.answer_within_s, context=self.encryption)
        return HTTPConnection(host, port, timeout=self.answer_within_s)

    def _headers(self) -> Mapping[str, str]:
        accepted = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if not self.address.username:
            return accepted
        login = f"{unquote(self.address.username)}:{unquote(self.address.password or '')}"
        return {**accepted, "Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _trusting(ca_path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_path or None)
    except OSError as error:
        raise Fatal(f"DATA_PROC_SCHEMA_REGISTRY_CA_PATH: {ca_path} can't be read as certificates: {error}") from error


def _told(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _away(number: int, what: str) -> RegistryUnavailable:
    return RegistryUnavailable(f"asking the schema registry what schema {number} is: {what}", REGISTRY)
