"""A Redis server: bounded in time, errors told in the port's words."""

import re
from collections.abc import Callable, Iterable, Sequence
from threading import Event
from typing import Any, TypeVar

import attrs
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry

from application.ports.errors import Denied, Fatal, PortError, StoreUnavailable

T = TypeVar("T")

ANSWER_WITHIN_S = 1.0
CONNECT_WITHIN_S = 1.0
REDIS = "redis"
"""What readiness calls it."""

_NOT_US = (AuthenticationError, AuthorizationError, NoPermissionError)
_NOT_NOW = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError, NoScriptError)
"""A script that is gone right after it was loaded went with a restart, a flush or a change of the primary."""
_DENIED = re.compile(r"^(NOAUTH|WRONGPASS|NOPERM)\b")
_PASSING = re.compile(
    r"^(LOADING|READONLY|OOM|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF)\b|max number of clients"
)
_PIPELINE = re.compile(r"^Command # \d+ .*? of pipeline caused error: ")


class CommandRefused(Fatal):
    """The server refuses a command for a reason that waiting does not change."""


@attrs.frozen
class RedisConnection:
    """One server. Safe for threads; connects when first needed."""

    client: "Redis" = attrs.field(repr=False)
    answer_within_s: float = ANSWER_WITHIN_S
    _silent: Event = attrs.field(factory=Event, init=False, repr=False)

    @property
    def away(self) -> bool:
        """Whether the last call could not reach the server."""
        return self._silent.is_set()

    @classmethod
    def at(cls, url: str, answer_within_s: float = ANSWER_WITHIN_S) -> "RedisConnection":
        """
        Reach the server at this address; nothing is connected yet.

        Args:
            url: `redis://user:password@host:port/0`, `rediss://…` for TLS, which checks the server's certificate
                (`?ssl_ca_certs=PATH` names who signed it), or `unix://path`.
            answer_within_s: After this long it counts as away.

        Raises:
            Fatal: It is no such address.
        """
        try:
            client = Redis.from_url(
                url,
                socket_timeout=answer_within_s,
                socket_connect_timeout=min(CONNECT_WITHIN_S, answer_within_s),
                health_check_interval=0,
                retry=Retry(NoBackoff(), 1),
                decode_responses=False,
            )
        except (ValueError, RedisError) as error:
            raise Fatal("DATA_PROC_REDIS_URL is no address of a Redis; write redis://host:port/0") from error
        return cls(client, answer_within_s)

    def asking(self, what: str, call: Callable[["Redis"], T]) -> T:
        """
        Do something there.

        Args:
            what: Names it in errors.
            call: Gets the client.

        Raises:
            StoreUnavailable: It is away, busy loading, full or read-only.
            Denied: It refuses who we are, or what we may do.
        """
        try:
            answer = call(self.client)
        except RedisError as error:
            said = translated(error, what)
            if isinstance(said, StoreUnavailable):
                self._silent.set()
            raise said from error
        self._silent.clear()
        return answer

    def pipelined(self, what: str, commands: Iterable[Sequence[Any]]) -> list[Any]:
        """
        Send several commands at once.

        Returns:
            The reply to each; one that the server refused is a ResponseError.
        """

        def sent(client: "Redis") -> list[Any]:
            with client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                return list(pipeline.execute(raise_on_error=False))

        return self.asking(what, sent)

    def close(self) -> None:
        """Let the connections go."""
        self.client.close()


def translated(error: RedisError, what: str) -> PortError:
    """Say in the port's words what a failed call means. Addresses, passwords and values are not told."""
    told = _PIPELINE.sub("", " ".join(str(error).split()))[:200]
    if isinstance(error, _NOT_US) or _DENIED.search(told):
        return Denied(
            f"{what}: Redis does not let this user in or do this ({told}); "
            "check DATA_PROC_REDIS_URL and the users in migrations/redis/users.acl"
        )
    if isinstance(error, ResponseError) and not (isinstance(error, _NOT_NOW) or _PASSING.search(told)):
        return CommandRefused(f"{what}: Redis refuses it: {told}")
    return StoreUnavailable(f"{what}: Redis can't do it now: {told}", REDIS)
